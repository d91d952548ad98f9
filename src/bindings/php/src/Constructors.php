<?php

declare(strict_types=1);

namespace Mailru;

/**
 * The ways to a session. $circuit is 'client' or 'server'; without it the session signs as its keys and uid allow.
 * $options are the library's, by name; timeout, connect_timeout and retry_delay are in seconds; 'on_renewal' is the
 * function of Session::onRenewal.
 */
trait Constructors
{
    /** For public pages alone. */
    public static function forPublic(array $options = []): self
    {
        return self::make('mailru_public_session_new', [], $options);
    }

    /** With an access token that the program has already. */
    public static function token(
        string|int $appId,
        #[\SensitiveParameter]
        string $accessToken,
        #[\SensitiveParameter]
        ?string $privateKey = null,
        #[\SensitiveParameter]
        ?string $secretKey = null,
        string|int|null $uid = null,
        array $options = [],
    ): self {
        return self::make('mailru_token_session_new', [
            'app_id' => $appId, 'private_key' => $privateKey, 'secret_key' => $secretKey,
            'access_token' => $accessToken, 'uid' => $uid,
        ], $options);
    }

    /** With an access token, signed client-server for the user uid. */
    public static function client(
        string|int $appId,
        #[\SensitiveParameter]
        string $privateKey,
        #[\SensitiveParameter]
        string $accessToken,
        string|int|null $uid,
        array $options = [],
    ): self {
        return self::make('mailru_client_session_new', [
            'app_id' => $appId, 'private_key' => $privateKey, 'access_token' => $accessToken, 'uid' => $uid,
        ], $options);
    }

    /** Signed server-server; without an access token calls name their user by the parameter uid. */
    public static function server(
        string|int $appId,
        #[\SensitiveParameter]
        string $secretKey,
        #[\SensitiveParameter]
        string $accessToken = '',
        array $options = [],
    ): self {
        return self::make('mailru_server_session_new', [
            'app_id' => $appId, 'secret_key' => $secretKey, 'access_token' => $accessToken,
        ], $options);
    }

    /** By the code of a redirect, see Platform::parseRedirect. */
    public static function code(
        string|int $appId,
        #[\SensitiveParameter]
        string $code,
        string $redirectUri,
        #[\SensitiveParameter]
        ?string $privateKey = null,
        #[\SensitiveParameter]
        ?string $secretKey = null,
        ?string $circuit = null,
        array $options = [],
    ): self {
        return self::grant([
            '' => 'mailru_code_session_new',
            'client' => 'mailru_code_client_session_new',
            'server' => 'mailru_code_server_session_new',
        ], $circuit, $appId, $privateKey, $secretKey, ['code' => $code, 'redirect_uri' => $redirectUri], $options);
    }

    /** By the user's password. */
    public static function password(
        string|int $appId,
        string $email,
        #[\SensitiveParameter]
        string $password,
        #[\SensitiveParameter]
        ?string $privateKey = null,
        #[\SensitiveParameter]
        ?string $secretKey = null,
        array|string|null $scope = null,
        ?string $circuit = null,
        array $options = [],
    ): self {
        return self::grant([
            '' => 'mailru_password_session_new',
            'client' => 'mailru_password_client_session_new',
            'server' => 'mailru_password_server_session_new',
        ], $circuit, $appId, $privateKey, $secretKey, [
            'email' => $email, 'password' => $password, 'scope' => Text::scope($scope),
        ], $options);
    }

    /** By a refresh token. */
    public static function refresh(
        string|int $appId,
        #[\SensitiveParameter]
        string $refreshToken,
        #[\SensitiveParameter]
        ?string $privateKey = null,
        #[\SensitiveParameter]
        ?string $secretKey = null,
        ?string $circuit = null,
        array $options = [],
    ): self {
        return self::grant([
            '' => 'mailru_refresh_session_new',
            'client' => 'mailru_refresh_client_session_new',
            'server' => 'mailru_refresh_server_session_new',
        ], $circuit, $appId, $privateKey, $secretKey, ['refresh_token' => $refreshToken], $options);
    }

    /** By what an earlier session's token listener stored; null with the option token_file. */
    public static function stored(
        string|int $appId,
        #[\SensitiveParameter]
        Tokens|string|null $tokens = null,
        #[\SensitiveParameter]
        ?string $privateKey = null,
        #[\SensitiveParameter]
        ?string $secretKey = null,
        array $options = [],
    ): self {
        return self::make('mailru_stored_session_new', [
            'app_id' => $appId, 'private_key' => $privateKey, 'secret_key' => $secretKey,
            'tokens_json' => $tokens instanceof Tokens ? $tokens->json() : $tokens,
        ], $options);
    }

    private static function grant(
        array $functions,
        ?string $circuit,
        string|int $appId,
        #[\SensitiveParameter]
        ?string $privateKey,
        #[\SensitiveParameter]
        ?string $secretKey,
        #[\SensitiveParameter]
        array $given,
        array $options,
    ): self {
        $keys = ['private_key' => $privateKey, 'secret_key' => $secretKey];
        $function = $functions[$circuit ?? ''] ?? throw Error::argument('circuit', "is neither 'client' nor 'server'");
        if ($circuit !== null) {
            $other = $circuit === 'client' ? 'secret_key' : 'private_key';
            if ($keys[$other] !== null) {
                throw Error::argument($other, "does not belong to the circuit $circuit; see the option client_secret");
            }
            unset($keys[$other]);
        }
        return self::make($function, ['app_id' => $appId] + $keys + $given, $options);
    }

    private static function make(string $function, #[\SensitiveParameter] array $texts, array $options): self
    {
        $onRenewal = $options['on_renewal'] ?? null;
        unset($options['on_renewal']);
        $options['callbacks_in_calls'] = true;
        $texts = array_map(Text::text(...), array_keys($texts), $texts);
        $json = Text::options($options);
        return new self(
            Library::made(static fn ($error) => Library::functions()->$function(...[...$texts, $json, $error])),
            $onRenewal,
        );
    }
}
