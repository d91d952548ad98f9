<?php

declare(strict_types=1);

namespace Mailru;

/** What needs no session. */
final class Platform
{
    public static function version(): string
    {
        return Library::functions()->mailru_version();
    }

    public static function abiVersion(): int
    {
        return Library::functions()->mailru_abi_version();
    }

    /** The platform's methods that are known: name, summary, write, privilege, params. */
    public static function catalogue(): array
    {
        return self::answered(static fn ($code) => Library::functions()->mailru_methods($code));
    }

    /** The platform's errors that are known: code, meaning, transient, advice. */
    public static function errorCatalogue(): array
    {
        return self::answered(static fn ($code) => Library::functions()->mailru_errors($code));
    }

    /** The address at which a user lets the application in. Keep $state in the user's own session.
     * $address is another authorization server's page for logins, such as the sandbox's. */
    public static function authorizeUrl(
        string|int $appId,
        string $redirectUri,
        ?string $responseType = null,
        array|string|null $scope = null,
        ?string $state = null,
        ?string $address = null,
    ): string {
        $texts = ['app_id' => $appId, 'redirect_uri' => $redirectUri, 'response_type' => $responseType,
            'scope' => Text::scope($scope), 'state' => $state];
        $texts = array_map(Text::text(...), array_keys($texts), $texts);
        $address = Text::text('address', $address);
        $made = static fn ($code) => $address === null
            ? Library::functions()->mailru_authorize_url(...[...$texts, $code])
            : Library::functions()->mailru_authorize_url_at($address, ...[...$texts, $code]);
        return self::answered($made)['url'];
    }

    /** What a redirect brought: a code, or tokens. $state is the one that was sent; null compares none, and then nothing
     * protects against forged logins. */
    public static function parseRedirect(#[\SensitiveParameter] string $url, ?string $state): string|Tokens
    {
        [$url, $state] = [Text::text('url', $url), Text::text('expected_state', $state)];
        $read = static fn ($code) => Library::functions()->mailru_parse_redirect($url, $state, $code);
        $json = Library::answer($read);
        return Text::parsed($json)['code'] ?? Tokens::parse($json);
    }

    /** Whether a payment callback's parameters are the platform's: true, or SignatureMismatch. verifyQuery is safer,
     * since it reads the query as it came and not as PHP read it. */
    public static function verify(#[\SensitiveParameter] string $secretKey, array|string $params): bool
    {
        [$key, $json] = [Text::text('secret_key', $secretKey), Text::object('params_json', $params)];
        return self::answered(static fn ($code) => Library::functions()->mailru_verify($key, $json, $code))['verified'];
    }

    /** The same for launch parameters. */
    public static function verifyLaunch(#[\SensitiveParameter] string $secretKey, array|string $params): bool
    {
        [$key, $json] = [Text::text('secret_key', $secretKey), Text::object('params_json', $params)];
        $verify = static fn ($code) => Library::functions()->mailru_verify_launch($key, $json, $code);
        return self::answered($verify)['verified'];
    }

    /** Checks a query string as it came, $_SERVER['QUERY_STRING'], of the kind payment, launch, cookie or
     * launch_by_key. Use the params of the answer, and not $_GET. */
    public static function verifyQuery(string $kind, #[\SensitiveParameter] string $secretKey, string $query): array
    {
        $texts = ['kind' => $kind, 'secret_key' => $secretKey, 'query' => $query];
        $texts = array_map(Text::text(...), array_keys($texts), $texts);
        return self::answered(static fn ($code) => Library::functions()->mailru_verify_query(...[...$texts, $code]));
    }

    private static function answered(callable $function): array
    {
        return Text::parsed(Library::answer($function));
    }
}
