package libmailru;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;

/**
 * The future of a call. Whoever completes it from outside ends the call: by cancel, by orTimeout, by a value. That holds
 * for what is made of it, too: cancelling thenApply's future ends the call.
 */
final class CallFuture<T> extends CompletableFuture<T> {
    private final Runnable end;
    private final Executor executor;

    CallFuture(Runnable end, Executor executor) {
        this.end = end;
        this.executor = executor;
    }

    /** The call's outcome. */
    void finish(T value) {
        super.complete(value);
    }

    void fail(Throwable error) {
        super.completeExceptionally(error);
    }

    @Override
    public <U> CompletableFuture<U> newIncompleteFuture() {
        return new CallFuture<>(end, executor);
    }

    @Override
    public Executor defaultExecutor() {
        return executor == null ? super.defaultExecutor() : executor;
    }

    @Override
    public boolean complete(T value) {
        return fromOutside(super.complete(value));
    }

    @Override
    public boolean completeExceptionally(Throwable error) {
        return fromOutside(super.completeExceptionally(error));
    }

    @Override
    public boolean cancel(boolean mayInterruptIfRunning) {
        return fromOutside(super.cancel(mayInterruptIfRunning));
    }

    private boolean fromOutside(boolean completed) {
        if (completed) {
            end.run();
        }
        return completed;
    }
}
