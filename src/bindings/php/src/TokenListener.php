<?php

declare(strict_types=1);

namespace Mailru;

use FFI;
use FFI\CData;

/**
 * Has a function told of a session's new tokens before they are used. The library's callback for it runs on a thread of
 * the library's, which PHP cannot enter. So the callback is the C library's own sem_wait, which keeps that thread
 * waiting: PHP, which waits for a call, sees the new tokens in mailru_tokens, tells the function, and lets the library go
 * on. Where there are no such semaphores (macOS, Windows) the function is told a moment later.
 */
final class TokenListener
{
    use Owner;

    private const C = 'void *calloc(size_t, size_t); int sem_init(void *, int, unsigned int); int sem_post(void *);
        int sem_trywait(void *); void sem_wait(void *, const char *); void free(void *);';
    /** Larger than any system's sem_t. */
    private const SIZE = 64;
    /** Seconds after which the library's thread goes on though the tokens are the same as before. */
    private const PATIENCE = 1.0;

    private static ?FFI $c = null;
    private ?CData $semaphore = null;
    private ?string $told;
    private bool $inside = false;

    public function __construct(private readonly int $session, private readonly \Closure $listener)
    {
        $this->told = $this->current();
        $library = Library::functions();
        $callback = $release = null;
        if (PHP_OS_FAMILY === 'Linux' || PHP_OS_FAMILY === 'BSD') {
            self::$c ??= FFI::cdef(self::C);
            $semaphore = self::$c->calloc(1, self::SIZE);
            self::$c->sem_init($semaphore, 0, 0);
            $callback = $library->cast('mailru_token_callback', self::$c->sem_wait);
            $release = $library->cast('mailru_release_callback', self::$c->free);
        }
        Library::done($library->mailru_session_on_token($session, $callback, $semaphore ?? null, $release), 'session');
        $this->semaphore = $semaphore ?? null;
    }

    public function inside(): bool
    {
        return $this->inside;
    }

    /** Tells the function if there are new tokens. */
    public function look(float $waited = 0.0): void
    {
        if ($this->inside) {
            return;
        }
        while ($this->semaphore && self::$c->sem_trywait($this->semaphore) === 0) {
            // Takes back what nobody went through.
        }
        $tokens = $this->current();
        if ($tokens !== null && $tokens !== $this->told) {
            $this->told = $tokens;
            $this->inside = true;
            Listeners::tell('token listener', $this->listener, Tokens::parse($tokens));
            $this->inside = false;
            $this->post();
        } elseif ($waited >= self::PATIENCE) {
            $this->post();
        }
    }

    /** The present tokens need not be told. */
    public function known(): void
    {
        $this->told = $this->current();
    }

    /** Before the library releases the semaphore, which frees its memory: whoever waits goes on. */
    public function abandon(): void
    {
        $this->post(64);
        $this->semaphore = null;
    }

    private function post(int $times = 1): void
    {
        for (; $this->semaphore && $times > 0; $times--) {
            self::$c->sem_post($this->semaphore);
        }
    }

    private function current(): ?string
    {
        try {
            return Library::answer(fn ($code) => Library::functions()->mailru_tokens($this->session, $code));
        } catch (InvalidHandle) {
            return null;
        }
    }
}
