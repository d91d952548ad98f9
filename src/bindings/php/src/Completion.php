<?php

declare(strict_types=1);

namespace Mailru;

/** What became of a queue's submission: its tag, and its JSON or its error. */
final class Completion
{
    public function __construct(
        public readonly mixed $tag,
        public readonly ?string $json,
        public readonly ?Error $error,
    ) {
    }

    /** The answer, or the error thrown. */
    public function value(bool $raw = false): mixed
    {
        if ($this->error !== null) {
            throw $this->error;
        }
        return $raw ? $this->json : Text::parsed($this->json);
    }
}
