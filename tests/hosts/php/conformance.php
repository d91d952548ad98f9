<?php
// The cases of cases.tsv in PHP.

declare(strict_types=1);

require __DIR__ . '/../../../src/bindings/php/autoload.php';

use Mailru\Queue;
use Mailru\Session;

const APP_ID = '423004';
const PRIVATE_KEY = '7815696ecbf1c96e6894b779456d330e';
const SECRET_KEY = '3dad9cbf9baaa0360c0f2ba372d25716';
const SESSION_KEY = 'be6ef89965d58e56dec21acb9b62bdaa';

function sessionOf(string $circuit, ?string $options): Session
{
    $options = json_decode($options ?? '{}', true);
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

function renewal(Session $session, string $method): string
{
    $told = [];
    $session->onToken(function ($tokens) use (&$told): void {
        $told[] = $tokens;
    });
    $session->call('sandbox.echo');
    $json = $session->call($method, raw: true);
    $session->onToken(null);
    check(count($told) === 2 && $told[0] != $told[1] && $told[1] == $session->tokens(), 'told ' . count($told));
    return $json;
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
    try {
        $session = sessionOf($circuit, $options);
        $got = 'MAILRU_OK';
        $json = match ($action) {
            'call' => $session->call($method, $parameters, raw: true),
            'sign' => $session->sign($method, $parameters, raw: true),
            'deadline' => $session->call($method, $parameters, timeout: 0.3),
            'together', 'crowd' => together($session, $method, (int) $parameters),
            'cancel' => cancelled($session, $method),
            'stale' => stale($session, $method),
            'renewal' => renewal($session, $method),
        };
    } catch (Mailru\Error $error) {
        [$got, $json] = [$error->name, $error->json];
    } catch (Throwable $error) {
        [$got, $json] = [$error::class, $error->getMessage()];
    }
    $passed = $got === $code && str_contains($json, $contains ?? '');
    echo $passed ? "ok $name\n" : "FAIL $name $got $json\n";
}
