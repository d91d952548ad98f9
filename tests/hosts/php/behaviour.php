<?php
// What the wrapper promises beyond the cases: each promise is a function that prints "ok NAME", or fails the program.

declare(strict_types=1);

require __DIR__ . '/../../../src/bindings/php/autoload.php';

use Mailru\Cancel;
use Mailru\Error;
use Mailru\Listeners;
use Mailru\Log;
use Mailru\Platform;
use Mailru\Queue;
use Mailru\Session;
use Mailru\Tokens;

const SLOW = 'sandbox.echo.slow';
const KEYS = ['appId' => '423004', 'privateKey' => '7815696ecbf1c96e6894b779456d330e'];
const SESSION_KEY = 'be6ef89965d58e56dec21acb9b62bdaa';
define('OPTIONS', json_decode(getenv('MAILRU_OPTIONS'), true));

function client(array $more = []): Session
{
    return Session::client(...KEYS, accessToken: SESSION_KEY, uid: '1324730981306483817', options: $more + OPTIONS);
}

function password(array $more = []): Session
{
    return Session::password(...KEYS, email: 'demo@mail.ru', password: 'demo', options: $more + OPTIONS);
}

function check(bool $holds, mixed $what = 'it does not hold'): void
{
    $holds || throw new LogicException(is_string($what) ? $what : var_export($what, true));
}

function promise(string $name, callable $keep): void
{
    try {
        $keep();
        echo "ok $name\n";
    } catch (Throwable $error) {
        echo "FAIL $name $error\n";
        exit(1);
    }
}

function failure(callable $act): Error
{
    try {
        $act();
    } catch (Error $error) {
        return $error;
    }
    throw new LogicException('nothing was thrown');
}

function seconds(callable $act): float
{
    $started = hrtime(true);
    $act();
    return (hrtime(true) - $started) / 1e9;
}

/** What another PHP prints that runs a program, and how long it takes. */
function anotherPhp(string $program, array $environment = [], array $settings = []): array
{
    $autoload = var_export(realpath(__DIR__ . '/../../../src/bindings/php/autoload.php'), true);
    $command = [PHP_BINARY, ...$settings, '-d', 'display_errors=stderr', '-r', "require $autoload; $program"];
    $output = '';
    $took = seconds(function () use ($command, $environment, &$output): void {
        $pipes = [1 => ['pipe', 'w'], 2 => ['redirect', 1]];
        $process = proc_open($command, $pipes, $pipes, null, $environment + getenv());
        $output = stream_get_contents($pipes[1]);
        proc_close($process);
    });
    return [$output, $took];
}

promise('no copy is a second owner', function (): void {
    $session = client();
    foreach (
        [
            fn () => clone $session,
            fn () => serialize($session),
            fn () => unserialize('O:14:"Mailru\Session":1:{s:6:"number";i:' . $session->number . ';}'),
            fn () => clone new Queue(),
            fn () => serialize(new Cancel()),
        ] as $copy
    ) {
        $thrown = null;
        try {
            $copy();
        } catch (Throwable $thrown) {
        }
        check($thrown !== null, 'a copy was made');
    }
    check($session->call('sandbox.echo', ['a' => 1])['a'] === '1');
    // Made without its constructor: there is nothing to free.
    (new ReflectionClass(Session::class))->newInstanceWithoutConstructor();
});

promise('neither pkg-config nor shell_exec is needed', function (): void {
    $options = 'json_decode(getenv("MAILRU_OPTIONS"), true)';
    $program = 'echo Mailru\Session::client("423004", "7815696ecbf1c96e6894b779456d330e", "' . SESSION_KEY .
        '", "1324730981306483817", ' . $options . ')->call("friends.get")[0];';
    [$output] = anotherPhp($program, ['PATH' => '/nowhere'], ['-d', 'disable_functions=shell_exec,exec,system']);
    check($output === '15410773191172635989', $output);
});

promise('a library that is not there is named', function (): void {
    [$output] = anotherPhp('Mailru\Platform::version();', ['MAILRU_LIBRARY' => '/nowhere/libmailru.so.0']);
    check(str_contains($output, '/nowhere/libmailru.so.0') && str_contains($output, 'MAILRU_LIBRARY'), $output);
});

promise('numbers are not cut', function (): void {
    $session = client();
    check(failure(fn () => new Queue(-1))->argument === 'workers');
    check(failure(fn () => new Queue(0, 1 << 32))->argument === 'capacity');
    check(failure(fn () => $session->call('sandbox.echo', timeout: 1e300))->argument === 'timeout');
    check(failure(fn () => $session->call('sandbox.echo', timeout: NAN))->argument === 'timeout');
    check(failure(fn () => $session->call('sandbox.echo', timeout: -1))->argument === 'timeout');
    check(failure(fn () => $session->call(SLOW, timeout: 0.0001)) instanceof Mailru\TimeoutError);
    $queue = new Queue();
    $queue->submit($session, 'sandbox.echo', tag: PHP_INT_MAX);
    check($queue->next(3_000_000_000)->tag === PHP_INT_MAX);
    check($session->call('sandbox.echo', ['id' => PHP_INT_MAX])['id'] === (string) PHP_INT_MAX);
    check($session->call('friends.get')[0] === '15410773191172635989');
    check($session->call('sandbox.echo', '{"id":18446744073709551615}')['id'] === '18446744073709551615');
});

promise('an empty array is no list', function (): void {
    $session = client();
    check(is_array($session->call('sandbox.echo', [])));
    check($session->call('sandbox.echo', ['ids' => []])['ids'] === '');
    $error = failure(fn () => $session->call('sandbox.echo', [1, 2]));
    check($error->argument === 'params_json' && str_contains($error->text, 'names'), $error->json);
});

promise('texts are whole', function (): void {
    $session = client();
    check(failure(fn () => $session->call("sandbox.echo\0x"))->argument === 'method');
    check(failure(fn () => client(['user_agent' => "a\0b"]))->argument === 'user_agent');
    check($session->call('sandbox.echo', ['text' => "a\0b"])['text'] === "a\0b");
    check(failure(fn () => $session->call('sandbox.echo', ['text' => "\xff"]))->argument === 'params_json');
    check(failure(fn () => $session->call('sandbox.echo', '{},"pass_error":true'))->argument === 'params_json');
});

promise('a failed queued call keeps its tag', function (): void {
    [$queue, $session, $tag] = [new Queue(capacity: 1), client(), ['any' => 'value']];
    $queue->submit($session, 'no.such.method', tag: $tag);
    $error = failure(fn () => $queue->submit($session, 'sandbox.echo', tag: 'second'));
    check($error instanceof Mailru\QueueFull && $error->tag === 'second');
    $done = $queue->next(5);
    check($done->tag === $tag && $done->error->number === 2 && $done->error->tag === $tag);
    $queue->request($session, ['public' => 'mail/nosuchuser'], tag: 3);
    check($queue->next(5)->tag === 3 && $queue->next(0) === null && $queue->descriptor() > 0);
});

promise('what a listener throws is reported and the answer kept', function (): void {
    $reports = [];
    Listeners::onError(function (Throwable $error, string $what) use (&$reports): void {
        $reports[] = [$error->getMessage(), $what];
    });
    Log::to(fn () => throw new RuntimeException('no space left'), 'debug');
    check(client()->call('sandbox.echo', ['a' => 1])['a'] === '1');
    Log::to(null);
    check($reports === [['no space left', 'logger']], $reports);
    $session = password();
    $session->onToken(fn () => throw new RuntimeException('the disk is full'));
    check($session->call('sandbox.echo', ['a' => 1])['a'] === '1');
    check($reports[1] === ['the disk is full', 'token listener'], $reports);
    Listeners::onError(null);
});

promise('the log is the library\'s and tells no secrets', function (): void {
    $lines = [];
    Log::to(function (string $level, string $line) use (&$lines): void {
        $lines[] = "$level $line";
    }, 'debug');
    $session = password();
    $session->call('sandbox.echo');
    failure(fn () => $session->call('no.such.method'));
    $stored = $session->tokens();
    Log::to(null);
    $session->call('sandbox.echo');
    $all = implode("\n", $lines);
    check((bool) preg_match('/^debug event=answer session=\d+ call=\d+ method=sandbox.echo attempt=1 ms=\d+ status=200/m', $all), $all);
    check(str_contains($all, 'info event=new_tokens') && substr_count($all, 'method=no.such.method') === 1, $all);
    check(!str_contains($all, $stored->accessToken) && !str_contains($all, $stored->refreshToken));
    // A logger may call the library, and even exit: it runs after the library's call.
    Log::to(fn () => client()->call('sandbox.echo'), 'debug');
    client()->call('sandbox.echo');
    Log::to(null);
    $login = '$s = Mailru\Session::password("423004", "demo@mail.ru", "demo", "7815696ecbf1c96e6894b779456d330e", ' .
        'options: json_decode(getenv("MAILRU_OPTIONS"), true)); ';
    foreach (['Mailru\Log::to(fn () => exit("left"), "debug");', '$s->onToken(fn () => exit("left"));'] as $exit) {
        [$output] = anotherPhp("$login $exit" . ' register_shutdown_function(fn () => print(" tidily")); $s->call("sandbox.echo");');
        check($output === 'left tidily', $output);
    }
});

promise('signal handlers run while a call waits and may end it', function (): void {
    pcntl_async_signals(true);
    $session = client();
    $ran = 0;
    pcntl_signal(SIGALRM, function () use (&$ran): void {
        $ran++;
    });
    pcntl_alarm(1);
    failure(fn () => $session->call(SLOW, timeout: 1.5));
    check($ran === 1);
    $calls = 0;
    pcntl_signal(SIGALRM, function () use ($session, &$calls): void {
        // A call while another waits, and then its end.
        $calls = $session->call('sandbox.echo', ['a' => 1])['a'];
        throw new DomainException('interrupted');
    });
    foreach ([fn () => $session->call(SLOW), fn () => (new Queue())->next()] as $wait) {
        pcntl_alarm(1);
        $took = seconds(function () use ($wait): void {
            try {
                $wait();
            } catch (DomainException) {
            }
        });
        check($took < 1.3 && $calls === '1', $took);
    }
    check(is_array($session->call('sandbox.echo')));
});

promise('tokens are told before they are used', function (): void {
    $session = password();
    $inside = null;
    $session->onToken(function (Tokens $tokens) use ($session, &$inside): void {
        usleep(300_000);
        $inside = [$tokens == $session->tokens(), failure(fn () => $session->call('sandbox.echo'))->name];
    });
    $took = seconds(fn () => $session->call('sandbox.echo'));
    check($took > 0.3 && $inside === [true, 'MAILRU_REENTERED'], $inside);
});

promise('a forked child goes on', function (): void {
    $told = [];
    $session = password();
    $session->onToken(function (Tokens $tokens) use (&$told): void {
        $told[] = $tokens->accessToken;
    });
    $session->call('sandbox.echo');
    $child = pcntl_fork();
    if ($child === 0) {
        $session->call('sandbox.echo.expired1');
        $good = count($told) === 2 && end($told) === $session->tokens()->accessToken;
        posix_kill(getmypid(), $good ? SIGUSR1 : SIGKILL);
    }
    pcntl_waitpid($child, $status);
    check(pcntl_wtermsig($status) === SIGUSR1, 'the child was not told');
    $session->call('sandbox.echo');
});

promise('renewals are told', function (): void {
    $phases = [];
    $note = function (string $phase, Session $session) use (&$phases): void {
        $phases[] = [$phase, $session->tokens()->accessToken];
    };
    $session = password(['on_renewal' => $note]);
    $session->onToken(function (Tokens $tokens) use (&$phases): void {
        $phases[] = ['tokens', $tokens->accessToken];
    });
    check($session->call('sandbox.echo.expired2', ['a' => 1])['a'] === '1');
    check(array_column($phases, 0) === ['tokens', 'before', 'tokens', 'after'] && $phases[1][1] !== $phases[2][1], $phases);
    // Newer tokens of another process's serve: no request is made.
    [$phases, $requests] = [[], $session->stats()['attempts']];
    $newer = $session->tokens();
    $session->onRenewal(function (string $phase, Session $session) use ($newer): void {
        $phase === 'before' && $session->setTokens($newer);
    });
    $session->setTokens(Tokens::parse(json_encode(['access_token' => 'old', 'expires_at' => 1] + (array) json_decode($newer->json()))));
    check($session->authorize()->accessToken === $newer->accessToken && $session->stats()['attempts'] === $requests, $phases);
    $session->onRenewal(null);
    // In a queue, too, and for two sessions at once.
    $queue = new Queue();
    foreach ([password(['on_renewal' => $note]), password(['on_renewal' => $note])] as $number => $other) {
        $other->authorize();
        $queue->request($other, ['authorize' => true], tag: $number);
    }
    check($queue->next(5)->error === null && $queue->next(5)->error === null && count($phases) === 4, $phases);
});

promise('tokens are told at the end of a session', function (): void {
    $told = 0;
    [$session, $queue] = [password(), new Queue()];
    $session->onToken(function () use (&$told): void {
        $told++;
    });
    $queue->submit($session, 'sandbox.echo');
    usleep(400_000);
    check($told === 0);
    $session->close();
    check($told === 1);
});

promise('errors say what they know', function (): void {
    $session = client();
    $error = failure(fn () => $session->call('no.such.method'));
    check($error instanceof Mailru\ApiError && $error->number === 2 && $error->getCode() === 10 && !$error->transient);
    $error = failure(fn () => $session->call(SLOW, timeout: 0.1));
    check($error instanceof Mailru\TimeoutError && $error->number === -21 && $error->transient && $error->sent, $error);
    $error = failure(fn () => client(['api_url' => 'http://127.0.0.1:1/', 'retries' => 0])->call('sandbox.echo'));
    check($error instanceof Mailru\NetworkError && $error->sent === false && $error->transient, $error->json);
});

promise('uploads show their progress and can be cancelled', function (): void {
    $session = client();
    $seen = [];
    $session->upload(
        'photos.upload', ['aid' => '_myphoto'], str_repeat('x', 3_000_000), 'img_file', 'a.jpg',
        progress: function (int $sent, int $total) use (&$seen): void {
            $seen[] = [$sent, $total];
        },
    );
    check($seen !== [] && end($seen)[1] > 3_000_000, $seen);
    $cancel = new Cancel();
    $cancel->fire();
    $upload = fn () => $session->upload('photos.upload', null, 'x', 'img_file', 'a.jpg', cancel: $cancel);
    check(failure($upload) instanceof Mailru\Cancelled);
});

promise('tokens outlive a restart and do not stand in logs', function (): void {
    $session = password();
    $stored = null;
    $session->onToken(function (Tokens $tokens) use (&$stored): void {
        $stored = $tokens->json();
    });
    $session->call('sandbox.echo');
    $session->close();
    $again = Session::stored(...KEYS, tokens: $stored, options: OPTIONS);
    check(is_array($again->call('sandbox.echo')) && $again->tokens()->expiresAt > time());
    check(!str_contains(print_r($again->tokens(), true), $again->tokens()->accessToken));
    $again->setTokens(Tokens::parse($stored));
    check($again->authorize()->accessToken !== Tokens::parse($stored)->accessToken);
    $trace = (string) failure(fn () => Session::password(...KEYS, email: 'a', password: 'geheim', circuit: 'server', options: OPTIONS));
    check(!str_contains($trace, 'geheim') && !str_contains($trace, '7815696'), $trace);
});

promise('the helpers', function (): void {
    $url = Platform::authorizeUrl(423004, 'https://example.com/in', scope: ['photos', 'stream'], state: 's');
    check(str_contains($url, 'client_id=423004') && str_contains($url, 'state=s'), $url);
    $url = Platform::authorizeUrl(1, 'https://example.com/in', address: 'http://127.0.0.1:1/login');
    check(str_starts_with($url, 'http://127.0.0.1:1/login?'), $url);
    check(Platform::parseRedirect('https://example.com/in?code=abc&state=s', 's') === 'abc');
    $forged = fn () => Platform::parseRedirect('https://example.com/in?code=abc&state=t', 's');
    check(failure($forged) instanceof Mailru\OAuthError);
    check(in_array('friends.get', array_column(Platform::catalogue(), 'name'), true));
    check(in_array(102, array_column(Platform::errorCatalogue(), 'code'), true));
    check(failure(fn () => Platform::verify('key', ['sig' => '0', 'app_id' => 1]))->getCode() === 4);
    check(failure(fn () => Platform::verifyLaunch('key', ['sig' => '0', 'app_id' => 1, 'vid' => 2]))->getCode() === 4);
    check(failure(fn () => Platform::verifyQuery('launch', 'key', 'app_id=1&vid=2&sig=0'))->getCode() === 4);
    check(Platform::abiVersion() === 0 && Platform::version() !== '');
});

promise('exit does not wait for calls', function (): void {
    $program = '$s = Mailru\Session::client("423004", "7815696ecbf1c96e6894b779456d330e", "k", "1", ' .
        'json_decode(getenv("MAILRU_OPTIONS"), true)); $q = new Mailru\Queue(); $q->submit($s, "' . SLOW . '"); ' .
        '$q->next(0.2); exit("left");';
    [$output, $took] = anotherPhp($program);
    check($output === 'left' && $took < 2, "$took $output");
});
