<?php
// The Mail.ru platform's REST API through libmailru, by PHP's FFI, which reads the installed header itself.
//
//     $session = Mailru\Session::client($appId, $privateKey, $accessToken, $uid);
//     $friends = json_decode($session->call('friends.get', '{"ext":1}'), flags: JSON_BIGINT_AS_STRING);
//
// PHP has one thread: calls at once go through a Queue. A token function would be called on a thread of the
// library's, which PHP cannot: tokens() tells the current ones instead, to be stored when they have changed.
// Failures are Mailru\Error.

declare(strict_types=1);

namespace Mailru;

use FFI;
use FFI\CData;

/** The C functions. */
final class Library
{
    private static ?FFI $functions = null;

    public static function functions(): FFI
    {
        return self::$functions ??= FFI::cdef(self::declarations(), 'libmailru.so.0');
    }

    /** The header without what is the preprocessor's. */
    private static function declarations(): string
    {
        $folder = trim((string) shell_exec('pkg-config --variable=includedir mailru'));
        $header = (string) file_get_contents("$folder/mailru.h");
        $header = preg_replace('/#ifdef __cplusplus.*?#endif[^\n]*/s', '', $header);
        return preg_replace('/^#.*$/m', '', $header);
    }

    /** Takes over a string of the library's. */
    public static function taken(?CData $json): ?string
    {
        if ($json === null) {
            return null;
        }
        try {
            return FFI::string($json);
        } finally {
            self::functions()->mailru_string_free($json);
        }
    }

    /** Runs a function that answers with JSON and a code. */
    public static function answer(callable $function): ?string
    {
        $code = self::functions()->new('int32_t');
        $json = self::taken($function(FFI::addr($code)));
        if ($code->cdata !== 0) {
            throw new Error($code->cdata, $json ?? '{}');
        }
        return $json;
    }

    /** Runs a function that gives an error object beside a handle or a code. */
    public static function made(callable $function): int
    {
        $error = self::functions()->new('char *');
        $outcome = $function(FFI::addr($error));
        $json = self::taken(FFI::isNull($error) ? null : $error);
        if ($json !== null) {
            throw new Error(-json_decode($json)->error->error_code, $json);
        }
        return $outcome;
    }
}

/** A failure: its code's name and the error's JSON. */
final class Error extends \RuntimeException
{
    public readonly string $name;

    public function __construct(int $code, public readonly string $json)
    {
        $this->name = Library::functions()->mailru_code_name($code);
        parent::__construct("{$this->name}: $json", $code);
    }
}

/** A session. Options and parameters are JSON, or null. */
final class Session
{
    private function __construct(public readonly int $number)
    {
    }

    public function __destruct()
    {
        $this->close();
    }

    public static function client(
        string $appId,
        string $privateKey,
        string $accessToken,
        string $uid,
        ?string $options = null,
    ): self {
        $c = Library::functions();
        return new self(Library::made(fn ($error) => $c->mailru_client_session_new(
            $appId,
            $privateKey,
            $accessToken,
            $uid,
            $options,
            $error,
        )));
    }

    public static function server(
        string $appId,
        string $secretKey,
        string $accessToken,
        ?string $options = null,
    ): self {
        $c = Library::functions();
        return new self(Library::made(fn ($error) => $c->mailru_server_session_new(
            $appId,
            $secretKey,
            $accessToken,
            $options,
            $error,
        )));
    }

    public static function passwordClient(
        string $appId,
        string $privateKey,
        string $email,
        string $password,
        ?string $scope = null,
        ?string $options = null,
    ): self {
        $c = Library::functions();
        return new self(Library::made(fn ($error) => $c->mailru_password_client_session_new(
            $appId,
            $privateKey,
            $email,
            $password,
            $scope,
            $options,
            $error,
        )));
    }

    /** Frees the session now. */
    public function close(): void
    {
        Library::functions()->mailru_session_free($this->number);
    }

    /** Calls a method; a limit of 0 is the session's. */
    public function call(string $method, ?string $params = null, int $limitMs = 0): string
    {
        $c = Library::functions();
        return Library::answer(
            fn ($code) => $c->mailru_call_within($this->number, $method, $params, $limitMs, 0, $code)
        );
    }

    public function sign(string $method, ?string $params = null): string
    {
        $c = Library::functions();
        return Library::answer(fn ($code) => $c->mailru_sign($this->number, $method, $params, $code));
    }

    public function tokens(): string
    {
        return Library::answer(fn ($code) => Library::functions()->mailru_tokens($this->number, $code));
    }
}

/** Calls at once. */
final class Queue
{
    private readonly int $number;

    public function __construct(int $workers = 0, int $capacity = 0)
    {
        $c = Library::functions();
        $this->number = Library::made(fn ($error) => $c->mailru_queue_new($workers, $capacity, $error));
    }

    public function __destruct()
    {
        Library::functions()->mailru_queue_free($this->number);
    }

    public function submit(Session $session, string $method, ?string $params, int $tag): void
    {
        $c = Library::functions();
        Library::made(
            fn ($error) => $c->mailru_queue_submit($this->number, $session->number, $method, $params, $tag, $error)
        );
    }

    /** The next completion, [tag, JSON]; its failure is thrown. */
    public function next(int $timeoutMs = -1): array
    {
        $c = Library::functions();
        $tag = $c->new('uint64_t');
        $next = fn ($code) => $c->mailru_queue_next($this->number, $timeoutMs, FFI::addr($tag), $code);
        $json = Library::answer($next);
        return [$tag->cdata, $json];
    }

    public function cancel(int $tag): void
    {
        Library::functions()->mailru_queue_cancel($this->number, $tag);
    }
}
