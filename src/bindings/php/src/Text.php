<?php

declare(strict_types=1);

namespace Mailru;

/** What goes to C and what comes from it: texts, JSON, times. */
final class Text
{
    private const FLAGS = JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES;
    private const DEPTH = 4096;

    /** A text for C, which ends at a NUL; an id may be an int. */
    public static function text(string $name, string|int|null $value): ?string
    {
        $text = $value === null ? null : (string) $value;
        if ($text !== null && str_contains($text, "\0")) {
            throw Error::argument($name, 'holds a NUL character');
        }
        return $text;
    }

    /** Parameters as JSON: an array by names, or JSON that was made already. */
    public static function object(string $name, array|string|null $value): ?string
    {
        // An empty array is both a list and an object.
        if ($value === null || $value === [] || $value === '') {
            return null;
        }
        try {
            if (is_string($value)) {
                if (!json_decode(self::text($name, $value), false, self::DEPTH, JSON_THROW_ON_ERROR) instanceof \stdClass) {
                    throw Error::argument($name, 'is not a JSON object');
                }
                return $value;
            }
            if (array_is_list($value)) {
                throw Error::argument($name, "is a list; its values need names, as in ['ext' => 1]");
            }
            return json_encode((object) $value, self::FLAGS, self::DEPTH);
        } catch (\JsonException $error) {
            $what = is_string($value) ? 'is not JSON' : 'cannot be written as JSON';
            throw Error::argument($name, "$what: {$error->getMessage()}");
        }
    }

    /** JSON without a name. */
    public static function json(mixed $value): string
    {
        return json_encode($value, self::FLAGS);
    }

    /** Seconds as whole milliseconds, upwards: a limit is never rounded to none. */
    public static function milliseconds(string $name, int|float $seconds, bool $positive = true): int
    {
        $ms = ceil($seconds * 1000);
        if (!is_finite($ms) || $ms > 2 ** 53 || $ms < 0 || ($positive && $ms == 0)) {
            throw Error::argument($name, 'is no ' . ($positive ? 'positive ' : '') . 'number of seconds');
        }
        return (int) $ms;
    }

    /** A number that fits into uint32_t. */
    public static function whole(string $name, int $number): int
    {
        if ($number < 0 || $number > 0xFFFF_FFFF) {
            throw Error::argument($name, 'is not from 0 to 4294967295');
        }
        return $number;
    }

    /** Options as JSON; times are given in seconds and without _ms. */
    public static function options(array $options): ?string
    {
        foreach (['timeout', 'connect_timeout', 'retry_delay'] as $time) {
            if (isset($options[$time])) {
                $options["{$time}_ms"] = self::milliseconds($time, $options[$time]);
            }
            unset($options[$time]);
        }
        return self::object('options', $options);
    }

    public static function scope(array|string|null $scope): ?string
    {
        return is_array($scope) ? implode(' ', $scope) : $scope;
    }

    /** An answer's JSON as arrays; integers that PHP has no place for are strings. */
    public static function parsed(string $json): mixed
    {
        return json_decode($json, true, self::DEPTH, JSON_THROW_ON_ERROR | JSON_BIGINT_AS_STRING);
    }
}
