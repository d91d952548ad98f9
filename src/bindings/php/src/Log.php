<?php

declare(strict_types=1);

namespace Mailru;

/**
 * The library's log, told to a logger or a function after the call of the library that it belongs to.
 *
 *     Mailru\Log::to($psr3Logger);
 *     Mailru\Log::to(fn (string $level, string $line) => fwrite(STDERR, "$level $line\n"), 'debug');
 */
final class Log
{
    private const LEVELS = ['error' => 1, 'warning' => 2, 'info' => 3, 'debug' => 4];

    private static ?\Closure $told = null;
    /** Lines that were not told yet, with their levels. */
    private static array $lines = [];
    private static bool $inside = false;

    /** A logger with a method log($level, $line), or a function; null switches the log off. */
    public static function to(?object $logger, string $level = 'info'): void
    {
        $number = self::LEVELS[$level] ?? throw Error::argument('level', 'is not error, warning, info or debug');
        $told = match (true) {
            $logger === null => null,
            is_callable($logger) => $logger(...),
            default => $logger->log(...),
        };
        // Lines that were made before this belong to the one before.
        Callbacks::log($told === null ? 0 : $number);
        self::tell();
        self::$told = $told;
    }

    /** For the library's callback. A logger that calls the library is not told of that, or it would never end. */
    public static function note(int $level, string $line): void
    {
        if (!self::$inside) {
            self::$lines[] = [array_search($level, self::LEVELS, true), $line];
        }
    }

    /** Tells the lines that were noted. */
    public static function tell(): void
    {
        if (self::$inside) {
            return;
        }
        self::$inside = true;
        try {
            while (self::$lines !== []) {
                [$level, $line] = array_shift(self::$lines);
                self::$told && Listeners::tell('logger', self::$told, $level, $line);
            }
        } finally {
            self::$inside = false;
        }
    }
}
