<?php

declare(strict_types=1);

namespace Mailru;

use FFI;
use FFI\CData;

/** The C functions. */
final class Library
{
    public const ABI_VERSION = 0;

    private static ?FFI $functions = null;

    public static function functions(): FFI
    {
        return self::$functions ??= self::load();
    }

    /** Where the library is looked for: in MAILRU_LIBRARY alone if that is set, else beside the wrapper, then by the
     * system's loader. */
    public static function candidates(): array
    {
        $named = getenv('MAILRU_LIBRARY');
        if (is_string($named) && $named !== '') {
            return [$named];
        }
        $file = match (PHP_OS_FAMILY) {
            'Windows' => 'mailru.dll',
            'Darwin' => 'libmailru.dylib',
            default => 'libmailru.so.' . self::ABI_VERSION,
        };
        return [dirname(__DIR__) . "/$file", $file];
    }

    private static function load(): FFI
    {
        if (!extension_loaded('ffi')) {
            throw new \RuntimeException("PHP's extension ffi is missing; install it, and load it in php.ini");
        }
        if (PHP_SAPI !== 'cli' && PHP_SAPI !== 'phpdbg' && !filter_var(ini_get('ffi.enable'), FILTER_VALIDATE_BOOL)) {
            throw new \RuntimeException('the setting ffi.enable of php.ini has to be true for ' . PHP_SAPI);
        }
        if (PHP_INT_SIZE < 8) {
            throw new \RuntimeException('a PHP of 64 bits is needed');
        }
        $tried = [];
        foreach (self::candidates() as $path) {
            try {
                $functions = FFI::cdef(Declarations::C . Callbacks::C, $path);
            } catch (FFI\Exception $error) {
                $tried[] = "  $path: {$error->getMessage()}";
                continue;
            }
            if ($functions->mailru_abi_version() !== self::ABI_VERSION) {
                $tried[] = "  $path: its binary interface is another ({$functions->mailru_abi_version()})";
                continue;
            }
            return $functions;
        }
        throw new \RuntimeException(
            "libmailru cannot be loaded; set MAILRU_LIBRARY to the path of its file. Tried:\n" . implode("\n", $tried)
        );
    }

    /** Takes over a string of the library's. */
    public static function taken(?CData $text): ?string
    {
        if ($text === null || FFI::isNull($text)) {
            return null;
        }
        try {
            return FFI::string($text);
        } finally {
            self::functions()->mailru_string_free($text);
        }
    }

    /** Runs a function that answers with JSON and a code. */
    public static function answer(callable $function): string
    {
        $code = self::functions()->new('int32_t');
        $json = self::taken($function(FFI::addr($code))) ?? '';
        Callbacks::tell();
        if ($code->cdata !== 0) {
            throw Error::of($code->cdata, $json);
        }
        return $json;
    }

    /** Runs a function that gives an error's JSON beside a handle or a code. */
    public static function made(callable $function): int
    {
        $error = self::functions()->new('char *');
        $outcome = $function(FFI::addr($error));
        $json = self::taken($error);
        if ($json !== null) {
            throw Error::of(-self::functions()->mailru_error_number($json), $json);
        }
        return $outcome;
    }

    /** Throws what a function answered that gives a code alone. */
    public static function done(int $code, string $what): void
    {
        if ($code !== 0) {
            throw Error::local($code, "$what: " . self::functions()->mailru_code_name($code));
        }
    }

    /** A file's bytes in C's memory, and their number. */
    public static function bytes(?string $data): array
    {
        if ($data === null) {
            return [null, 0];
        }
        $size = strlen($data);
        // Never of no bytes: the pointer may not be NULL.
        $memory = self::functions()->new('uint8_t[' . max($size, 1) . ']');
        FFI::memcpy($memory, $data, $size);
        return [$memory, $size];
    }
}
