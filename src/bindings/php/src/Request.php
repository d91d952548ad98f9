<?php

declare(strict_types=1);

namespace Mailru;

/** The library's JSON for requests. */
final class Request
{
    /** $params may be JSON that is to be sent digit by digit; Text::object makes sure that it is an object. */
    public static function build(
        array $members,
        array|string|null $params,
        int|float|null $timeout,
        ?int $retries,
        ?bool $passError,
    ): string {
        $members += array_filter([
            'timeout_ms' => $timeout === null ? null : Text::milliseconds('timeout', $timeout),
            'retries' => $retries,
            'pass_error' => $passError,
        ], static fn ($value) => $value !== null);
        try {
            $json = Text::json($members);
        } catch (\JsonException $error) {
            throw Error::argument(array_key_first($members), "cannot be written as JSON: {$error->getMessage()}");
        }
        $params = Text::object('params_json', $params);
        return $params === null ? $json : substr($json, 0, -1) . ",\"params\":$params}";
    }
}
