<?php

declare(strict_types=1);

namespace Mailru;

use FFI;

/** Ends the calls that were given it, from a signal handler or a progress function, say, and tells how much of their
 * requests was sent. */
final class Cancel
{
    use Owner;

    public readonly int $number;

    public function __construct()
    {
        $this->number = Library::functions()->mailru_cancel_new();
    }

    public function __destruct()
    {
        if (isset($this->number)) {
            Library::functions()->mailru_cancel_free($this->number);
        }
    }

    /** Its calls end as Cancelled, later ones at once. */
    public function fire(): void
    {
        Library::done(Library::functions()->mailru_cancel_fire($this->number), 'cancel');
    }

    /** How many bytes of the requests were sent, and how many there are to send: [sent, total]. */
    public function progress(): array
    {
        $c = Library::functions();
        [$sent, $total] = [$c->new('uint64_t'), $c->new('uint64_t')];
        Library::done($c->mailru_cancel_progress($this->number, FFI::addr($sent), FFI::addr($total)), 'cancel');
        return [$sent->cdata, $total->cdata];
    }
}
