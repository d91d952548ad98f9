<?php
// For programs without Composer: require this file.

declare(strict_types=1);

spl_autoload_register(static function (string $class): void {
    if (str_starts_with($class, 'Mailru\\')) {
        $file = __DIR__ . '/src/' . substr($class, 7) . '.php';
        require_once is_file($file) ? $file : __DIR__ . '/src/Errors.php';
    }
});
