<?php

declare(strict_types=1);

namespace Mailru;

use FFI\CData;

/**
 * What the library calls. It does so on PHP's own thread and inside of its calls (callbacks_in_calls), where PHP may
 * neither throw nor exit. So the functions here only note what they are told, and have the library wait
 * (mailru_session_hold); the program's functions are told after the call of the library.
 */
final class Callbacks
{
    /** Numbers in place of pointers, which PHP cannot read in a callback. */
    public const C = <<<'C'
        struct mailru_php_callbacks {
            void (*token)(uint64_t session, uintptr_t tokens_json);
            void (*renewal)(uint64_t session, int32_t phase);
            void (*log)(uint64_t none, int32_t level, uintptr_t message);
        };
        C;

    private static ?CData $functions = null;
    /** The sessions that the library may call for, by number; weak, so that they end with their last use. */
    private static array $sessions = [];
    /** What was noted and not told yet, in this process: [session, 'token' or 'renewal', tokens or phase]. */
    private static array $noted = [];
    private static ?int $process = null;

    /** Sets or removes the library's callback of a kind for a session. */
    public static function listen(Session $session, string $kind, bool $sets): void
    {
        $c = Library::functions();
        [$number, $set, $type] = [$session->number, "mailru_session_on_$kind", "mailru_{$kind}_callback"];
        if ($sets) {
            $callback = $c->cast($type, self::functions()->$kind);
            Library::done($c->$set($number, $callback, $c->cast('void *', $number), null), 'session');
            self::$sessions[$number] = \WeakReference::create($session);
        } else {
            Library::done($c->$set($number, null, null, null), 'session');
        }
    }

    /** Sets or removes the library's log. */
    public static function log(int $level): void
    {
        $c = Library::functions();
        $callback = $level === 0 ? null : $c->cast('mailru_log_callback', self::functions()->log);
        // MAILRU_LOG_IN_CALLS
        Library::done($c->mailru_set_log($callback, null, null, $level === 0 ? 0 : $level + 256), 'level');
    }

    /** The session's functions are not called any more. */
    public static function forget(int $session): void
    {
        if (isset(self::$sessions[$session])) {
            unset(self::$sessions[$session]);
            $c = Library::functions();
            $c->mailru_session_on_token($session, null, null, null);
            $c->mailru_session_on_renewal($session, null, null, null);
        }
    }

    /** Tells the program's functions what the library told meanwhile; the library goes on when they have returned. */
    public static function tell(): void
    {
        Log::tell();
        if (self::$process !== getmypid()) {
            // What a parent process noted is told by the parent.
            [self::$noted, self::$process] = [[], getmypid()];
        }
        while (self::$noted !== []) {
            [$number, $kind, $what] = array_shift(self::$noted);
            try {
                (self::$sessions[$number] ?? null)?->get()?->told($kind, $what);
            } finally {
                Library::functions()->mailru_session_hold($number, 0);
            }
        }
    }

    /** How many milliseconds to wait in the library, after which PHP looks for signals, and for what was noted. */
    public static function slice(): int
    {
        return self::$sessions === [] ? 20 : 5;
    }

    private static function functions(): CData
    {
        if (self::$functions !== null) {
            return self::$functions;
        }
        $c = Library::functions();
        $note = static function (int $session, string $kind, string|int $what) use ($c): void {
            if (self::$process !== getmypid()) {
                [self::$noted, self::$process] = [[], getmypid()];
            }
            self::$noted[] = [$session, $kind, $what];
            $c->mailru_session_hold($session, 1);
        };
        $text = static fn (int $address) => \FFI::string($c->cast('char *', $address));
        $functions = $c->new('struct mailru_php_callbacks');
        $functions->token = static fn (int $session, int $json) => $note($session, 'token', $text($json));
        $functions->renewal = static fn (int $session, int $phase) => $note($session, 'renewal', $phase);
        $functions->log = static fn (int $none, int $level, int $line) => Log::note($level, $text($line));
        // They end with the request, the library does not. At the very end: functions of the program's may still work.
        register_shutdown_function(static fn () => register_shutdown_function(self::end(...)));
        return self::$functions = $functions;
    }

    private static function end(): void
    {
        self::log(0);
        array_map(self::forget(...), array_keys(self::$sessions));
    }
}
