<?php

declare(strict_types=1);

namespace Mailru;

/**
 * A session of the platform:
 *
 *     $session = Mailru\Session::client(appId: '…', privateKey: '…', accessToken: '…', uid: '…');
 *     $friends = $session->call('friends.get', ['ext' => 1], timeout: 5);
 *
 * Answers are arrays, with integers that PHP has no place for as strings; raw: true gives the platform's own text. Times
 * are seconds. Failures are Mailru\Error and its classes. Signal handlers run while a call waits, and what they throw
 * ends it.
 */
final class Session
{
    use Owner;
    use Constructors;

    private ?\Closure $tokenListener = null;
    private ?\Closure $renewalListener = null;
    /** Whether a listener runs: a call of the session would wait for itself. */
    private bool $inside = false;

    private function __construct(public readonly int $number, ?callable $onRenewal)
    {
        $onRenewal && $this->onRenewal($onRenewal);
    }

    public function __destruct()
    {
        if (isset($this->number)) {
            $this->close();
        }
    }

    /** Calls a method of the platform. */
    public function call(
        string $method,
        array|string|null $params = null,
        int|float|null $timeout = null,
        ?int $retries = null,
        ?bool $passError = null,
        ?Cancel $cancel = null,
        bool $raw = false,
    ): mixed {
        $request = Request::build(['method' => Text::text('method', $method)], $params, $timeout, $retries, $passError);
        return $this->perform($request, cancel: $cancel, raw: $raw);
    }

    /** Calls a method with a file's bytes. $progress is told of the bytes sent and in total. */
    public function upload(
        string $method,
        array|string|null $params,
        string $data,
        string $field,
        string $name,
        ?string $type = null,
        int|float|null $timeout = null,
        ?int $retries = null,
        ?bool $passError = null,
        ?Cancel $cancel = null,
        ?callable $progress = null,
        bool $raw = false,
    ): mixed {
        $file = array_filter(
            ['field' => $field, 'name' => $name, 'type' => $type],
            static fn ($text) => $text !== null,
        );
        $members = ['method' => Text::text('method', $method), 'file' => $file];
        $request = Request::build($members, $params, $timeout, $retries, $passError);
        return $this->perform($request, $data, $cancel, $progress, $raw);
    }

    /** Reads a public page's JSON, such as "mail/nick". */
    public function public(
        string $path,
        array|string|null $params = null,
        int|float|null $timeout = null,
        ?int $retries = null,
        ?bool $passError = null,
        ?Cancel $cancel = null,
        bool $raw = false,
    ): mixed {
        $request = Request::build(['public' => Text::text('path', $path)], $params, $timeout, $retries, $passError);
        return $this->perform($request, cancel: $cancel, raw: $raw);
    }

    /** Gets the tokens, or renews them; calls do this by themselves. */
    public function authorize(int|float|null $timeout = null, ?Cancel $cancel = null): Tokens
    {
        $request = Request::build(['authorize' => true], null, $timeout, null, null);
        return Tokens::parse($this->performed($request, null, $cancel, null));
    }

    /** Any request as the library's JSON, for what the methods above leave out. */
    public function request(array|string $request, ?string $data = null, ?Cancel $cancel = null, bool $raw = false): mixed
    {
        return $this->perform(Text::object('request', $request) ?? '{}', $data, $cancel, null, $raw);
    }

    /** A call as it would be sent, without sending it. */
    public function sign(string $method, array|string|null $params = null, bool $raw = false): mixed
    {
        [$method, $params] = [Text::text('method', $method), Text::object('params_json', $params)];
        $json = Library::answer(
            fn ($code) => Library::functions()->mailru_sign($this->number, $method, $params, $code)
        );
        return $raw ? $json : Text::parsed($json);
    }

    /** The present tokens. */
    public function tokens(): Tokens
    {
        return Tokens::parse(
            Library::answer(fn ($code) => Library::functions()->mailru_tokens($this->number, $code))
        );
    }

    /** What the session has done: counters and latencies, see the header at mailru_stats. */
    public function stats(): array
    {
        return Text::parsed(
            Library::answer(fn ($code) => Library::functions()->mailru_stats($this->number, $code))
        );
    }

    /** Goes on with newer tokens. */
    public function setTokens(#[\SensitiveParameter] Tokens|string $tokens): void
    {
        $json = Text::text('tokens_json', $tokens instanceof Tokens ? $tokens->json() : $tokens);
        $c = Library::functions();
        Library::made(fn ($error) => $c->mailru_session_set_tokens($this->number, $json, $error));
    }

    /**
     * Has a function told of every new set of tokens before any of them is used: the place to store them; null removes
     * it. It calls nothing of the session but tokens() and setTokens(). Tokens that come while PHP is not inside of the
     * library are told at its next call, or when the session ends.
     */
    public function onToken(?callable $listener): void
    {
        Callbacks::tell();
        $this->tokenListener = $listener === null ? null : $listener(...);
        Callbacks::listen($this, 'token', $listener !== null);
    }

    /**
     * Has a function told 'before' each renewal of the tokens (take a lock, load, setTokens: if they are newer, no
     * request is made) and 'after' it, with the session; null removes it.
     */
    public function onRenewal(?callable $listener): void
    {
        Callbacks::tell();
        $this->renewalListener = $listener === null ? null : $listener(...);
        Callbacks::listen($this, 'renewal', $listener !== null);
    }

    /** Tells a listener what the library told. */
    public function told(string $kind, string|int $what): void
    {
        $this->inside = true;
        try {
            if ($kind === 'token' && $this->tokenListener) {
                Listeners::tell('token listener', $this->tokenListener, Tokens::parse($what));
            } elseif ($kind === 'renewal' && $this->renewalListener) {
                Listeners::tell('renewal listener', $this->renewalListener, $what === 1 ? 'before' : 'after', $this);
            }
        } finally {
            $this->inside = false;
        }
    }

    /** Ends the calls under way, as Cancelled; later ones work. */
    public function cancel(): void
    {
        Library::done(Library::functions()->mailru_session_cancel($this->number), 'session');
    }

    /** Ends the session and its calls. */
    public function close(): void
    {
        $c = Library::functions();
        if ($this->tokenListener || $this->renewalListener) {
            // The library tells now what it has, as in any call, and nothing later.
            Callbacks::tell();
            $c->mailru_session_hold(0, 0);
            Callbacks::tell();
            Callbacks::forget($this->number);
        }
        $c->mailru_session_free($this->number);
    }

    /** Throws where a call would wait for itself. */
    public function prepare(): void
    {
        if ($this->inside) {
            throw Error::local(5, 'a call of the session inside its own listener would wait for itself');
        }
        Callbacks::tell();
    }

    public function __debugInfo(): array
    {
        return ['number' => $this->number];
    }

    private function perform(
        string $request,
        ?string $data = null,
        ?Cancel $cancel = null,
        ?callable $progress = null,
        bool $raw = false,
    ): mixed {
        $json = $this->performed($request, $data, $cancel, $progress);
        return $raw ? $json : Text::parsed($json);
    }

    private function performed(string $request, ?string $data, ?Cancel $cancel, ?callable $progress): string
    {
        $this->prepare();
        $cancel ??= $progress ? new Cancel() : null;
        $meanwhile = $progress ? fn () => $progress(...$cancel->progress()) : null;
        return Waiting::perform($this->number, $request, $data, $cancel, $meanwhile);
    }
}
