<?php
// The cases of cases.tsv in PHP.

declare(strict_types=1);

require __DIR__ . '/../../../src/bindings/php/autoload.php';

use Mailru\Cancel;
use Mailru\Log;
use Mailru\Platform;
use Mailru\Queue;
use Mailru\Session;

const APP_ID = '423004';
const PRIVATE_KEY = '7815696ecbf1c96e6894b779456d330e';
const SECRET_KEY = '3dad9cbf9baaa0360c0f2ba372d25716';
const SESSION_KEY = 'be6ef89965d58e56dec21acb9b62bdaa';

function sessionOf(string $circuit, array $options): Session
{
    return match ($circuit) {
        'client' => Session::client(APP_ID, PRIVATE_KEY, SESSION_KEY, '1324730981306483817', $options),
        'server' => Session::server(APP_ID, SECRET_KEY, SESSION_KEY, $options),
        'password' => Session::password(
            appId: APP_ID, email: 'demo@mail.ru', password: 'demo', privateKey: PRIVATE_KEY, circuit: 'client',
            options: $options,
        ),
    };
}

function check(bool $holds, string $what): void
{
    $holds || throw new LogicException($what);
}

function together(Session $session, string $method, int $calls): string
{
    $queue = new Queue($calls, $calls);
    for ($tag = 0; $tag < $calls; $tag++) {
        $queue->submit($session, $method, ['tag' => $tag], $tag);
    }
    while (count($queue)) {
        $done = $queue->next(30);
        check($done->value()['tag'] === "$done->tag", "not the answer to $done->tag: $done->json");
        $seen[$done->tag] = true;
    }
    check(count($seen) === $calls, 'a completion is missing');
    return '';
}

function cancelled(Session $session, string $method): string
{
    $queue = new Queue();
    $queue->submit($session, $method, tag: 'slow');
    usleep(200_000);
    $queue->cancel('slow');
    try {
        return $queue->next(2)->value(raw: true);
    } finally {
        $session->call('sandbox.echo');
    }
}

function renewal(string $method, array $options): string
{
    [$told, $phases] = [[], []];
    $session = sessionOf('password', $options + ['on_renewal' => function (string $phase) use (&$phases): void {
        $phases[] = $phase;
    }]);
    $session->onToken(function ($tokens) use (&$told): void {
        $told[] = $tokens;
    });
    $session->call('sandbox.echo');
    $json = $session->call($method, raw: true);
    $session->onToken(null);
    check(count($told) === 2 && $told[0] != $told[1] && $told[1] == $session->tokens(), 'told ' . count($told));
    check($phases === ['before', 'after'], 'the phases were ' . implode(' ', $phases));
    return $json;
}

function queued(Session $session, string $method, string $parameters): string
{
    $queue = new Queue();
    $queue->request($session, ['method' => $method, 'params' => json_decode($parameters)], tag: 'tag');
    $done = $queue->next(30);
    check($done->tag === 'tag', 'another tag');
    return $done->value(raw: true);
}

function sessionCancelled(Session $session, string $method): string
{
    $queue = new Queue();
    $queue->submit($session, $method);
    usleep(200_000);
    $session->cancel();
    return $queue->next(2)->value(raw: true);
}

const FILE = ['field' => 'img_file', 'name' => 'snail.jpg'];

function upload(Session $session, string $method, ?string $parameters): string
{
    $cancel = new Cancel();
    $json = $session->upload($method, $parameters, str_repeat('x', 100_000), ...FILE, cancel: $cancel, raw: true);
    [$sent, $total] = $cancel->progress();
    check($sent === $total && $total > 100_000, "$sent of $total bytes");
    return $json;
}

function uploadCancelled(Session $session, string $method): string
{
    $cancel = new Cancel();
    $started = hrtime(true);
    $progress = fn () => hrtime(true) - $started > 200_000_000 && $cancel->fire();
    return $session->upload(
        $method, null, str_repeat('x', 100_000), ...FILE, cancel: $cancel, progress: $progress, raw: true
    );
}

function inTurn(Session $session, string $method, int $calls): string
{
    while ($calls-- > 0) {
        $session->call($method);
    }
    return '';
}

function failed(Session $session, string $method): string
{
    try {
        return $session->call($method, raw: true);
    } catch (Mailru\ApiError $error) {
        $known = $error->getCode() === 10 && $error->number === 2 && $error->text !== '' && !$error->transient;
        check($known, 'the members are wrong');
        throw $error;
    }
}

function logged(Session $session, string $method): string
{
    $lines = '';
    Log::to(function (string $level, string $line) use (&$lines): void {
        $lines .= "$line\n";
    }, 'debug');
    $json = $session->call($method, raw: true);
    Log::to(null);
    check((bool) preg_match("/event=answer .*method=$method/", $lines) && !str_contains($lines, SESSION_KEY), $lines);
    return $json;
}

function counted(Session $session, string $method): string
{
    inTurn($session, $method, 2);
    return json_encode($session->stats());
}

const REDIRECT = 'https://example.org/login';

function logIn(array $options, string $method, string $redirect): string
{
    $url = Platform::authorizeUrl(APP_ID, REDIRECT, state: 'case-state');
    check(str_contains($url, 'state=case-state'), $url);
    $session = Session::code(
        appId: APP_ID, code: Platform::parseRedirect($redirect, 'case-state'), redirectUri: REDIRECT,
        privateKey: PRIVATE_KEY, circuit: 'client', options: $options,
    );
    $tokens = $session->authorize()->json();
    $session->close();
    return restarted($tokens, $options, $method);
}

function restarted(?string $tokens, array $options, string $method): string
{
    $session = Session::stored(appId: APP_ID, tokens: $tokens, privateKey: PRIVATE_KEY, options: $options);
    if ($tokens !== null) {
        $session->setTokens($tokens);
    }
    return $session->call($method, raw: true);
}

function throughFile(Session $session, array $options, string $method): string
{
    $session->call($method);
    $session->close();
    return restarted(null, $options, $method);
}

function stale(Session $session, string $method): string
{
    $session->close();
    return $session->call($method);
}

foreach (file(getenv('MAILRU_CASES'), FILE_IGNORE_NEW_LINES) as $line) {
    if ($line[0] === '#') {
        continue;
    }
    $columns = array_map(fn ($column) => $column === '-' ? null : $column, explode("\t", $line));
    [$name, $action, $circuit, $options, $method, $parameters, $code, $contains] = $columns;
    $options = json_decode($options ?? '{}', true);
    try {
        $session = $circuit === null ? null : sessionOf($circuit, $options);
        $got = 'MAILRU_OK';
        $json = match ($action) {
            'call' => $session->call($method, $parameters, raw: true),
            'sign' => $session->sign($method, $parameters, raw: true),
            'deadline' => $session->call($method, $parameters, timeout: 0.3),
            'together', 'crowd' => together($session, $method, (int) $parameters),
            'cancel', 'queue-cancel' => cancelled($session, $method),
            'stale' => stale($session, $method),
            'renewal' => renewal($method, $options),
            'request' => $session->request(['method' => $method, 'params' => json_decode($parameters)], raw: true),
            'queued' => queued($session, $method, $parameters),
            'session-cancel' => sessionCancelled($session, $method),
            'upload' => upload($session, $method, $parameters),
            'upload-cancel' => uploadCancelled($session, $method),
            'public' => $session->public($method, raw: true),
            'rate' => inTurn($session, $method, (int) $parameters),
            'error' => failed($session, $method),
            'log' => logged($session, $method),
            'stats' => counted($session, $method),
            'token-file' => throughFile($session, $options, $method),
            'methods' => json_encode(Platform::catalogue()),
            'errors' => json_encode(Platform::errorCatalogue()),
            'verify' => json_encode(Platform::verifyQuery($method, SECRET_KEY, $parameters)),
            'payment' => json_encode(['verified' => Platform::verify(SECRET_KEY, json_decode($parameters, true))]),
            'launch' => json_encode(['verified' => Platform::verifyLaunch(SECRET_KEY, json_decode($parameters, true))]),
            'redirect' => Platform::parseRedirect($parameters, 'case-state'),
            'login' => logIn($options, $method, $parameters),
        };
    } catch (Mailru\Error $error) {
        [$got, $json] = [$error->name, $error->json];
    } catch (Throwable $error) {
        [$got, $json] = [$error::class, $error->getMessage()];
    }
    $passed = $got === $code && str_contains($json, $contains ?? '');
    echo $passed ? "ok $name\n" : "FAIL $name $got $json\n";
}
