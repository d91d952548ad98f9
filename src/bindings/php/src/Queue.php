<?php

declare(strict_types=1);

namespace Mailru;

use FFI;

/** Calls at once: they are submitted one after another and taken as they complete. */
final class Queue implements \Countable
{
    use Owner;

    public readonly int $number;
    private array $pending = [];
    private int $tags = 0;

    /** $workers calls may be in flight at once, $capacity submissions may not be taken yet. */
    public function __construct(int $workers = 0, int $capacity = 0)
    {
        [$workers, $capacity] = [Text::whole('workers', $workers), Text::whole('capacity', $capacity)];
        $this->number = Library::made(
            static fn ($error) => Library::functions()->mailru_queue_new($workers, $capacity, $error)
        );
    }

    public function __destruct()
    {
        if (isset($this->number)) {
            $this->close();
        }
    }

    /** Hands a call to the queue. $tag is any value, which comes back with the completion. */
    public function submit(Session $session, string $method, array|string|null $params = null, mixed $tag = null): void
    {
        [$method, $params] = [Text::text('method', $method), Text::object('params_json', $params)];
        $this->enter($session, $tag, fn ($own, $error) => Library::functions()->mailru_queue_submit(
            $this->number, $session->number, $method, $params, $own, $error
        ));
    }

    /** Hands any request to the queue, as the library's JSON: with 'method', 'public' or 'authorize'. */
    public function request(
        Session $session,
        array|string $request,
        ?string $data = null,
        ?Cancel $cancel = null,
        mixed $tag = null,
    ): void {
        $json = Text::object('request', $request);
        [$bytes, $size] = Library::bytes($data);
        $this->enter($session, $tag, fn ($own, $error) => Library::functions()->mailru_queue_request(
            $this->number, $session->number, $json, $bytes, $size, $cancel?->number ?? 0, $own, $error
        ));
    }

    /** The next completion, or null if none came within the seconds of $timeout; without it this waits. */
    public function next(int|float|null $timeout = null): ?Completion
    {
        $limit = $timeout === null ? INF : Text::milliseconds('timeout', $timeout, false);
        $started = hrtime(true);
        do {
            $left = $limit - (hrtime(true) - $started) / 1e6;
            $completion = $this->take((int) max(0, min(Callbacks::slice(), ceil($left))));
            Waiting::dispatchSignals();
        } while ($completion === null && $left > 0);
        return $completion;
    }

    /** How many submissions were not taken yet. */
    public function count(): int
    {
        return count($this->pending);
    }

    /** Completes what bears this tag as Cancelled. */
    public function cancel(mixed $tag): void
    {
        foreach ($this->pending as $own => [$given]) {
            if ($given === $tag) {
                Library::done(Library::functions()->mailru_queue_cancel($this->number, $own), 'queue');
            }
        }
    }

    /** A descriptor that is readable while next() has something to do, for an event loop; -1 on Windows. */
    public function descriptor(): int
    {
        return Library::functions()->mailru_queue_fd($this->number);
    }

    /** Cancels what is pending. */
    public function close(): void
    {
        Library::functions()->mailru_queue_free($this->number);
        $this->pending = [];
    }

    private function enter(Session $session, mixed $tag, callable $submit): void
    {
        $session->prepare();
        $own = ++$this->tags;
        try {
            Library::made(static fn ($error) => $submit($own, $error));
        } catch (Error $error) {
            $error->tag = $tag;
            throw $error;
        }
        $this->pending[$own] = [$tag, $session];
    }

    private function take(int $ms): ?Completion
    {
        $c = Library::functions();
        [$own, $code] = [$c->new('uint64_t'), $c->new('int32_t')];
        $json = Library::taken($c->mailru_queue_next($this->number, $ms, FFI::addr($own), FFI::addr($code)));
        Callbacks::tell();
        if ($code->cdata === 31) {
            return null;
        }
        if (!isset($this->pending[$own->cdata])) {
            throw Error::of($code->cdata, $json);
        }
        [$tag] = $this->pending[$own->cdata];
        unset($this->pending[$own->cdata]);
        if ($code->cdata === 0) {
            return new Completion($tag, $json, null);
        }
        $error = Error::of($code->cdata, $json);
        $error->tag = $tag;
        return new Completion($tag, null, $error);
    }
}
