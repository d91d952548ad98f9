<?php

declare(strict_types=1);

namespace Mailru;

use FFI;

/** Waits for calls where PHP can be interrupted: all go through one queue of the library's, which is asked again and
 * again, so that signal handlers run meanwhile; what these throw ends the call. */
final class Waiting
{
    private static ?int $process = null;
    private static int $queue = 0;
    private static int $tags = 0;
    /** Completions that another call's waiting took: a handler's that ran meanwhile. */
    private static array $taken = [];
    /** The tags of calls that were interrupted. */
    private static array $abandoned = [];

    /** Performs a request: its JSON, or an Error. $meanwhile is called again and again. */
    public static function perform(
        int $session,
        string $request,
        ?string $data,
        ?Cancel $cancel,
        ?callable $meanwhile,
    ): string {
        $c = Library::functions();
        $queue = self::queue();
        $tag = ++self::$tags;
        [$bytes, $size] = Library::bytes($data);
        Library::made(static fn ($error) => $c->mailru_queue_request(
            $queue, $session, $request, $bytes, $size, $cancel?->number ?? 0, $tag, $error
        ));
        try {
            while (!isset(self::$taken[$tag])) {
                self::step($queue);
                self::dispatchSignals();
                $meanwhile && $meanwhile();
            }
        } catch (\Throwable $interrupt) {
            if (!isset(self::$taken[$tag])) {
                self::$abandoned[$tag] = true;
            }
            unset(self::$taken[$tag]);
            $c->mailru_queue_cancel($queue, $tag);
            throw $interrupt;
        }
        $meanwhile && $meanwhile();
        [$code, $json] = self::$taken[$tag];
        unset(self::$taken[$tag]);
        return $code === 0 ? $json : throw Error::of($code, $json);
    }

    public static function dispatchSignals(): void
    {
        if (function_exists('pcntl_signal_dispatch')) {
            pcntl_signal_dispatch();
        }
    }

    private static function step(int $queue): void
    {
        $c = Library::functions();
        [$tag, $code] = [$c->new('uint64_t'), $c->new('int32_t')];
        $json = Library::taken($c->mailru_queue_next($queue, Callbacks::slice(), FFI::addr($tag), FFI::addr($code)));
        if (isset(self::$abandoned[$tag->cdata])) {
            unset(self::$abandoned[$tag->cdata]);
        } elseif ($code->cdata !== 31) {
            self::$taken[$tag->cdata] = [$code->cdata, $json];
        }
        Callbacks::tell();
    }

    /** The queue of this process: after a fork the parent's is the parent's. */
    private static function queue(): int
    {
        if (self::$process !== getmypid()) {
            $c = Library::functions();
            self::$queue = Library::made(static fn ($error) => $c->mailru_queue_new(0, 0, $error));
            self::$process = getmypid();
            self::$taken = [];
        }
        return self::$queue;
    }
}
