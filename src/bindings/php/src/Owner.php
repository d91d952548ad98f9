<?php

declare(strict_types=1);

namespace Mailru;

/** What frees a handle when it goes: there is one of it. */
trait Owner
{
    private function __clone()
    {
    }

    public function __serialize(): array
    {
        throw new \LogicException(self::class . ' cannot be serialized: it belongs to this process');
    }

    public function __unserialize(array $data): void
    {
        throw new \LogicException(self::class . ' cannot be unserialized: it belongs to one process');
    }
}
