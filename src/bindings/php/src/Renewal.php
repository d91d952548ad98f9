<?php

declare(strict_types=1);

namespace Mailru;

/**
 * Renewals that PHP begins, for a function that is told before and after them. The library tells of its own renewals on
 * a thread that PHP cannot enter (mailru_session_on_renewal), so the session has auto_refresh off.
 */
final class Renewal
{
    /** How many seconds before the end of a token it is renewed. */
    private const AHEAD = 30;

    public bool $inside = false;

    public function __construct(private readonly \Closure $listener)
    {
    }

    /** Gets the first tokens, which is no renewal; renews those that are about to expire. */
    public function ifDue(Session $session): void
    {
        $tokens = $session->tokens();
        if ($tokens->accessToken === null) {
            $session->authorize();
        } elseif ($tokens->refreshToken !== null && $tokens->expired(time() + self::AHEAD)) {
            $this->renew($session, $tokens);
        }
    }

    /** Performs a call, and once more if the platform refuses a token that can be renewed. */
    public function around(Session $session, callable $perform): string
    {
        $tokens = $session->tokens();
        try {
            return $perform();
        } catch (ApiError $error) {
            if ($error->number !== 102 || $session->tokens()->refreshToken === null) {
                throw $error;
            }
            $this->renew($session, $tokens);
            return $perform();
        }
    }

    /** One renewal, unless the listener brings tokens that another process renewed. */
    private function renew(Session $session, Tokens $old): void
    {
        $this->inside = true;
        Listeners::tell('renewal listener', $this->listener, 'before', $session);
        try {
            $new = $session->tokens();
            if ($new->accessToken === $old->accessToken || $new->expired()) {
                $session->authorize();
            }
        } finally {
            Listeners::tell('renewal listener', $this->listener, 'after', $session);
            $this->inside = false;
        }
    }
}
