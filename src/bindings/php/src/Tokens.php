<?php

declare(strict_types=1);

namespace Mailru;

/** A session's tokens. json() is what to store, and Session::stored takes it. */
final class Tokens implements \JsonSerializable
{
    private const MEMBERS = ['access_token', 'refresh_token', 'expires_in', 'expires_at', 'uid', 'token_type', 'circuit'];

    public function __construct(
        #[\SensitiveParameter]
        public readonly ?string $accessToken = null,
        #[\SensitiveParameter]
        public readonly ?string $refreshToken = null,
        public readonly ?int $expiresIn = null,
        /** The end, in seconds since 1970. */
        public readonly ?int $expiresAt = null,
        public readonly ?string $uid = null,
        public readonly ?string $tokenType = null,
        public readonly ?string $circuit = null,
    ) {
    }

    public static function parse(#[\SensitiveParameter] string $json): self
    {
        $members = Text::parsed($json);
        return new self(...array_map(static fn (string $name) => $members[$name] ?? null, self::MEMBERS));
    }

    public function json(): string
    {
        return Text::json($this);
    }

    public function expired(?int $now = null): bool
    {
        return $this->expiresAt !== null && $this->expiresAt <= ($now ?? time());
    }

    public function jsonSerialize(): array
    {
        return array_combine(self::MEMBERS, array_values(get_object_vars($this)));
    }

    /** Without the secrets, which would else stand in logs. */
    public function __debugInfo(): array
    {
        return ['uid' => $this->uid, 'circuit' => $this->circuit, 'expiresAt' => $this->expiresAt];
    }
}
