package libmailru;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * A session of the platform:
 *
 * <pre>
 * try (Session session = Session.builder(appId).privateKey(key).client(accessToken, uid)) {
 *     JsonElement friends = session.call("friends.get", Map.of("ext", 1));
 * }
 * </pre>
 *
 * It serves many threads at once. An interrupt of the thread that waits for a call ends the call. Answers keep every
 * digit: read ids as texts or BigInteger. Failures are MailruException and its classes.
 */
public final class Session implements AutoCloseable {
    /** Who signs: the application's program at its user's, or its server. */
    public enum Circuit { CLIENT, SERVER }

    /** Where a renewal is: before its request (take a lock, load, setTokens), or over. */
    public enum Phase { BEFORE, AFTER }

    /** It holds the functions, too, as long as the object is in use. */
    private record Freer(Library.Functions c, long number) implements Runnable {
        @Override
        public void run() {
            c.mailru_session_free(number);
        }
    }

    private final long number;
    private final Executor executor;
    private final Cleaner.Cleanable cleanable;
    private volatile Consumer<Tokens> tokenListener;
    private volatile Consumer<Phase> renewalListener;

    Session(long number, Executor executor) {
        this.number = number;
        this.executor = executor;
        cleanable = Library.CLEANER.register(this, new Freer(Library.functions(), number));
    }

    public static SessionBuilder builder(String appId) {
        return new SessionBuilder(appId);
    }

    /** The library's number for it, as its log lines have it. */
    public long number() {
        return number;
    }

    public JsonElement call(String method) {
        return call(Request.call(method));
    }

    public JsonElement call(String method, Map<String, ?> params) {
        return call(Request.call(method, params));
    }

    /** Performs a request and waits for its answer. */
    public JsonElement call(Request request) {
        return Text.parsed(text(request));
    }

    /** The same, with the platform's own text. */
    public String text(Request request) {
        Calls.Call call = Calls.submit(this, request, Runnable::run);
        try {
            return call.future.get();
        } catch (ExecutionException failure) {
            if (failure.getCause() instanceof MailruException known) {
                // With this thread's stack.
                MailruException here = MailruException.of(known.code(), known.json());
                here.initCause(known);
                throw here;
            }
            throw new IllegalStateException(failure.getCause());
        } catch (InterruptedException | CancellationException interrupt) {
            call.end();
            Thread.currentThread().interrupt();
            MailruException cancelled = MailruException.local(23, "the thread was interrupted", null);
            cancelled.initCause(interrupt);
            throw cancelled;
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    public CompletableFuture<JsonElement> callAsync(String method, Map<String, ?> params) {
        return callAsync(Request.call(method, params));
    }

    /** Performs a request without a thread of the caller's. Cancelling the future, or what is made of it, and its time-out
     * end the request. */
    public CompletableFuture<JsonElement> callAsync(Request request) {
        return textAsync(request).thenApply(Text::parsed);
    }

    public CompletableFuture<String> textAsync(Request request) {
        Executor outcomes = executor != null ? executor : new CompletableFuture<Void>().defaultExecutor();
        return Calls.submit(this, request, outcomes).future;
    }

    /** Gets the tokens, or renews them; calls do this by themselves. */
    public Tokens authorize() {
        return Tokens.parse(text(Request.authorize()));
    }

    /** A call as it would be sent, without sending it. */
    public JsonObject sign(String method, Map<String, ?> params) {
        return Text.members(signText(method, Text.object("params_json", params)));
    }

    /** The same with parameters as JSON, and the library's own text. */
    public String signText(String method, String paramsJson) {
        byte[] name = Text.text("method", method);
        byte[] params = Text.text("params_json", paramsJson);
        return answer(code -> Library.functions().mailru_sign(number, name, params, code));
    }

    /** The present tokens. */
    public Tokens tokens() {
        return Tokens.parse(answer(code -> Library.functions().mailru_tokens(number, code)));
    }

    /** What the session has done: counters and latencies, see the header at mailru_stats. */
    public JsonObject stats() {
        return Text.members(answer(code -> Library.functions().mailru_stats(number, code)));
    }

    /** Goes on with newer tokens. */
    public void setTokens(Tokens tokens) {
        byte[] json = Text.text("tokens_json", tokens.toJson());
        Library.made(error -> Library.functions().mailru_session_set_tokens(number, json, error));
        Reference.reachabilityFence(this);
    }

    /** Has a listener told of every new set of tokens before any of them is used: the place to store them; null removes
     * it. It runs on a thread of the library's; a call of the session inside it is Reentered. */
    public void onToken(Consumer<Tokens> listener) {
        tokenListener = listener;
        Library.Functions c = Library.functions();
        if (listener == null) {
            Library.done(c.mailru_session_on_token(number, null, null, null), "session");
        } else {
            Callbacks.register(this, "session",
                    (held, own) -> c.mailru_session_on_token(number, held.told, own, held.released));
        }
        Reference.reachabilityFence(this);
    }

    /** Has a listener told of renewals, before and after their requests; null removes it. */
    public void onRenewal(Consumer<Phase> listener) {
        renewalListener = listener;
        Library.Functions c = Library.functions();
        if (listener == null) {
            Library.done(c.mailru_session_on_renewal(number, null, null, null), "session");
        } else {
            Callbacks.register(this, "session",
                    (held, own) -> c.mailru_session_on_renewal(number, held.renewing, own, held.released));
        }
        Reference.reachabilityFence(this);
    }

    /** Inside a listener: it counts as running until proceed, also after it has returned, so that it may store the tokens
     * on another thread. */
    public void hold() {
        Library.done(Library.functions().mailru_session_hold(number, 1), "hold, which belongs into a listener");
        Reference.reachabilityFence(this);
    }

    /** Ends what hold began. */
    public void proceed() {
        Library.done(Library.functions().mailru_session_hold(number, 0), "session");
        Reference.reachabilityFence(this);
    }

    /** Ends the calls under way, as cancelled; later ones work. */
    public void cancel() {
        Library.done(Library.functions().mailru_session_cancel(number), "session");
        Reference.reachabilityFence(this);
    }

    /** Ends the session and its calls. */
    @Override
    public void close() {
        Callbacks.closing(this);
        cleanable.clean();
    }

    @Override
    public String toString() {
        return "Session " + number;
    }

    Executor executor() {
        return executor;
    }

    void toldTokens(Tokens tokens) {
        Consumer<Tokens> listener = tokenListener;
        if (listener != null) {
            listener.accept(tokens);
        }
    }

    void toldRenewal(Phase phase) {
        Consumer<Phase> listener = renewalListener;
        if (listener != null) {
            listener.accept(phase);
        }
    }

    private String answer(Function<int[], com.sun.jna.Pointer> function) {
        try {
            return Library.answer(function);
        } finally {
            Reference.reachabilityFence(this);
        }
    }
}
