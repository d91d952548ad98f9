<?php

declare(strict_types=1);

namespace Mailru;

/**
 * A log of the program's calls, in the form of the library's. The library tells its own lines on its own threads
 * (mailru_set_log), which PHP cannot enter: there is a line for each call here, and none for an attempt.
 *
 *     Mailru\Log::to($psr3Logger);
 *     Mailru\Log::to(fn (string $level, string $line) => fwrite(STDERR, "$level $line\n"), 'debug');
 */
final class Log
{
    private const LEVELS = ['error' => 1, 'warning' => 2, 'info' => 3, 'debug' => 4];

    private static ?\Closure $told = null;
    private static int $level = 0;
    private static int $calls = 0;

    /** A logger with a method log($level, $line), or a function; null switches the log off. */
    public static function to(?object $logger, string $level = 'info'): void
    {
        self::$level = self::LEVELS[$level] ?? throw Error::argument('level', 'is not error, warning, info or debug');
        self::$told = match (true) {
            $logger === null => null,
            is_callable($logger) => $logger(...),
            default => $logger->log(...),
        };
    }

    /** Performs a call and tells what became of it. */
    public static function around(int $session, string $name, callable $perform): string
    {
        if (self::$told === null) {
            return $perform();
        }
        $number = ++self::$calls;
        $started = hrtime(true);
        $line = static fn (string $event) => "event=$event session=$session call=$number method=" .
            (preg_match('/^[\w.:\/-]+$/D', $name) ? $name : Text::json($name)) .
            ' ms=' . intdiv(hrtime(true) - $started, 1_000_000);
        try {
            $json = $perform();
        } catch (Error $error) {
            self::tell('warning', $line('failure') . " code={$error->name} number={$error->number}");
            throw $error;
        }
        self::tell('debug', $line('answer') . ' bytes=' . strlen($json));
        return $json;
    }

    private static function tell(string $level, string $line): void
    {
        if (self::$told !== null && self::LEVELS[$level] <= self::$level) {
            Listeners::tell('logger', self::$told, $level, $line);
        }
    }
}
