<?php

declare(strict_types=1);

namespace Mailru;

/** A failure. What it is tells its class; what is known of it tell its members. Its code is the library's. */
class Error extends \RuntimeException
{
    /** The code's name, such as MAILRU_TIMEOUT. */
    public readonly string $name;
    /** The platform's number of its own errors; else minus the code. */
    public readonly int $number;
    /** The text alone. */
    public readonly string $text;
    /** Whether the same call may succeed later. */
    public readonly bool $transient;
    /** Whether a byte of the request may have reached a server: a write may be made again only if this is false. Null
     * if no request was made. */
    public readonly ?bool $sent;
    /** Which argument, option or parameter was wrong; what an answer lacks. */
    public readonly ?string $argument;
    public readonly ?string $field;
    public readonly ?int $httpStatus;
    /** How many seconds to wait before the next request, if the server said so. */
    public readonly ?float $retryAfter;
    /** What the authorization server, or the platform, answered. */
    public readonly mixed $oauth;
    public readonly mixed $platform;
    /** What the submission of a queue was tagged with. */
    public mixed $tag = null;

    private const CLASSES = [
        1 => InvalidArgument::class, 2 => InvalidHandle::class, 3 => SignatureUndefined::class,
        4 => SignatureMismatch::class, 5 => Reentered::class, 10 => ApiError::class, 11 => OAuthError::class,
        12 => ResponseError::class, 13 => ResponseError::class, 14 => ResponseError::class, 15 => HttpError::class,
        20 => NetworkError::class, 21 => TimeoutError::class, 22 => TlsError::class, 23 => Cancelled::class,
        24 => OutOfMemory::class, 30 => QueueFull::class, 31 => QueueEmpty::class,
    ];

    final public function __construct(int $code, public readonly string $json)
    {
        $c = Library::functions();
        $this->name = $c->mailru_code_name($code);
        $this->number = $c->mailru_error_number($json);
        $this->transient = $c->mailru_error_transient($json) === 1;
        $status = $c->new('int32_t');
        $text = Library::taken($c->mailru_error_message($json, \FFI::addr($status)));
        $this->text = $status->cdata === 0 ? $text : $json;
        $members = json_decode($json, true, 4096, JSON_BIGINT_AS_STRING)['error'] ?? null;
        $members = is_array($members) ? $members : [];
        $typed = static fn (string $name, string $type) => get_debug_type($members[$name] ?? null) === $type
            ? $members[$name]
            : null;
        $this->sent = $typed('sent', 'bool');
        $this->argument = $typed('argument', 'string');
        $this->field = $typed('field', 'string');
        $this->httpStatus = $typed('http_status', 'int');
        $pause = $typed('retry_after_ms', 'int');
        $this->retryAfter = $pause === null ? null : $pause / 1000;
        $this->oauth = $members['oauth'] ?? null;
        $this->platform = $members['platform'] ?? null;
        parent::__construct("{$this->name} {$this->number}: {$this->text}", $code);
    }

    /** The error of a code, in the code's class. */
    public static function of(int $code, string $json): self
    {
        return new (self::CLASSES[$code] ?? self::class)($code, $json);
    }

    /** An error that is noticed before C is called, in the library's shape. */
    public static function local(int $code, string $text, array $members = []): self
    {
        $error = ['error_code' => -$code, 'error_msg' => $text, 'transient' => false] + $members;
        $flags = JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE;
        return self::of($code, json_encode(['error' => $error], $flags));
    }

    /** An argument that the library would not take as it is. */
    public static function argument(string $name, string $text): self
    {
        return self::local(1, "$name $text", ['argument' => $name]);
    }
}

// The caller's own mistakes.
class UsageError extends Error
{
}
class InvalidArgument extends UsageError
{
}
class InvalidHandle extends UsageError
{
}
class SignatureUndefined extends UsageError
{
}
class Reentered extends UsageError
{
}
class SignatureMismatch extends Error
{
}

// What the servers answered.
class ApiError extends Error
{
}
class OAuthError extends Error
{
}
class ResponseError extends Error
{
}
class HttpError extends ResponseError
{
}

// What became of the way there.
class NetworkError extends Error
{
}
class TimeoutError extends NetworkError
{
}
class TlsError extends NetworkError
{
}
class Cancelled extends Error
{
}
class OutOfMemory extends Error
{
}
class QueueFull extends Error
{
}
class QueueEmpty extends Error
{
}
