<?php

declare(strict_types=1);

namespace Mailru;

/** The functions of the program's that are told of something. What they throw is reported and ends nothing. */
final class Listeners
{
    private static ?\Closure $onError = null;

    /** Has a function told of what a listener throws, with the listener's name; else it goes to PHP's error log. */
    public static function onError(?callable $function): void
    {
        self::$onError = $function === null ? null : $function(...);
    }

    public static function tell(string $what, callable $listener, mixed ...$arguments): void
    {
        try {
            $listener(...$arguments);
        } catch (\Throwable $error) {
            try {
                self::$onError ? (self::$onError)($error, $what) : error_log("mailru: the $what threw $error");
            } catch (\Throwable) {
            }
        }
    }
}
