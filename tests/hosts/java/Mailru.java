import com.sun.jna.Callback;
import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.ptr.IntByReference;
import com.sun.jna.ptr.LongByReference;
import com.sun.jna.ptr.PointerByReference;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The Mail.ru platform's REST API through libmailru, by JNA.
 *
 * <pre>
 * try (Mailru.Session session = Mailru.Session.client(appId, privateKey, accessToken, uid, null)) {
 *     String friends = session.call("friends.get", "{\"ext\":1}");
 * }
 * </pre>
 *
 * A session serves many threads at once; callAsync needs none of the caller's. Failures are Mailru.Failure.
 */
public final class Mailru {
    private Mailru() {}

    interface Functions extends Library {
        long mailru_client_session_new(byte[] appId, byte[] privateKey, byte[] accessToken, byte[] uid,
                byte[] options, PointerByReference error);
        long mailru_server_session_new(byte[] appId, byte[] secretKey, byte[] accessToken, byte[] options,
                PointerByReference error);
        long mailru_password_client_session_new(byte[] appId, byte[] privateKey, byte[] email, byte[] password,
                byte[] scope, byte[] options, PointerByReference error);
        void mailru_session_free(long session);
        int mailru_session_on_token(long session, Told told, Pointer userData, Released released);
        Pointer mailru_call_within(long session, byte[] method, byte[] params, long timeoutMs, long cancel,
                IntByReference code);
        Pointer mailru_sign(long session, byte[] method, byte[] params, IntByReference code);
        Pointer mailru_tokens(long session, IntByReference code);
        long mailru_queue_new(int workers, int capacity, PointerByReference error);
        int mailru_queue_submit(long queue, long session, byte[] method, byte[] params, long tag,
                PointerByReference error);
        Pointer mailru_queue_next(long queue, int timeoutMs, LongByReference tag, IntByReference code);
        int mailru_queue_cancel(long queue, long tag);
        void mailru_string_free(Pointer json);
        String mailru_code_name(int code);
    }

    interface Told extends Callback {
        void invoke(Pointer userData, Pointer tokens);
    }

    interface Released extends Callback {
        void invoke(Pointer userData);
    }

    private static final Functions LIBRARY = Native.load("mailru", Functions.class);

    /** A failure: its code's name and the error's JSON. */
    public static final class Failure extends RuntimeException {
        private static final long serialVersionUID = 1;
        private static final Pattern NUMBER = Pattern.compile("\"error_code\":(-?\\d+)");
        private final String code;
        private final String json;

        Failure(int code, String json) {
            super(LIBRARY.mailru_code_name(code) + ": " + json);
            this.code = LIBRARY.mailru_code_name(code);
            this.json = json;
        }

        /** A constructor's, whose error has the code with a minus. */
        static Failure of(PointerByReference error) {
            String json = taken(error.getValue());
            Matcher number = NUMBER.matcher(json);
            return new Failure(number.find() ? -Integer.parseInt(number.group(1)) : -1, json);
        }

        public String code() {
            return code;
        }

        public String json() {
            return json;
        }
    }

    /** UTF-8 with its NUL; JNA's own strings would depend on the machine's settings. */
    private static byte[] c(String text) {
        return text == null ? null : (text + '\0').getBytes(StandardCharsets.UTF_8);
    }

    private static String taken(Pointer json) {
        try {
            return json.getString(0, "UTF-8");
        } finally {
            LIBRARY.mailru_string_free(json);
        }
    }

    private static String answered(Pointer answer, IntByReference code) {
        String json = taken(answer);
        if (code.getValue() != 0) {
            throw new Failure(code.getValue(), json);
        }
        return json;
    }

    private static long made(long number, PointerByReference error) {
        if (number == 0) {
            throw Failure.of(error);
        }
        return number;
    }

    /** A session. Options and parameters are JSON, or null. */
    public static final class Session implements AutoCloseable {
        // What the library may still call, by the number that it was given for it; and the callbacks that JNA
        // would collect if nobody held them.
        private static final Map<Long, Consumer<String>> LISTENERS = new ConcurrentHashMap<>();
        private static final AtomicLong NUMBERS = new AtomicLong();
        private static final Told TOLD = (userData, tokens) ->
                LISTENERS.get(Pointer.nativeValue(userData)).accept(tokens.getString(0, "UTF-8"));
        private static final Released RELEASED = userData -> LISTENERS.remove(Pointer.nativeValue(userData));

        private final long number;

        private Session(long number, PointerByReference error) {
            this.number = made(number, error);
        }

        public static Session client(String appId, String privateKey, String accessToken, String uid, String options) {
            PointerByReference error = new PointerByReference();
            return new Session(LIBRARY.mailru_client_session_new(c(appId), c(privateKey), c(accessToken), c(uid),
                    c(options), error), error);
        }

        public static Session server(String appId, String secretKey, String accessToken, String options) {
            PointerByReference error = new PointerByReference();
            return new Session(LIBRARY.mailru_server_session_new(c(appId), c(secretKey), c(accessToken), c(options),
                    error), error);
        }

        public static Session passwordClient(String appId, String privateKey, String email, String password,
                String scope, String options) {
            PointerByReference error = new PointerByReference();
            return new Session(LIBRARY.mailru_password_client_session_new(c(appId), c(privateKey), c(email),
                    c(password), c(scope), c(options), error), error);
        }

        @Override
        public void close() {
            LIBRARY.mailru_session_free(number);
        }

        public String call(String method, String params) {
            return call(method, params, Duration.ZERO);
        }

        /** A call with a time limit of its own; zero is the session's. */
        public String call(String method, String params, Duration limit) {
            IntByReference code = new IntByReference();
            return answered(LIBRARY.mailru_call_within(number, c(method), c(params), limit.toMillis(), 0, code), code);
        }

        /** A call that takes no thread of the caller's; cancelling the future ends it. */
        public CompletableFuture<String> callAsync(String method, String params) {
            return Calls.submit(number, method, params);
        }

        public String sign(String method, String params) {
            IntByReference code = new IntByReference();
            return answered(LIBRARY.mailru_sign(number, c(method), c(params), code), code);
        }

        public String tokens() {
            IntByReference code = new IntByReference();
            return answered(LIBRARY.mailru_tokens(number, code), code);
        }

        /** Has a listener told of every new set of tokens, before any of them is used; null removes it. */
        public void onToken(Consumer<String> listener) {
            long key = NUMBERS.incrementAndGet();
            int code;
            if (listener == null) {
                code = LIBRARY.mailru_session_on_token(number, null, null, null);
            } else {
                LISTENERS.put(key, listener);
                code = LIBRARY.mailru_session_on_token(number, TOLD, Pointer.createConstant(key), RELEASED);
            }
            if (code != 0) {
                throw new Failure(code, "{}");
            }
        }
    }

    /** How many asynchronous calls the library has, cancelled ones included that have not ended yet. */
    public static int inFlight() {
        return Calls.WAITING.size();
    }

    /** The queue of all asynchronous calls, and the one thread that takes its completions. */
    private static final class Calls {
        static final Map<Long, CompletableFuture<String>> WAITING = new ConcurrentHashMap<>();
        private static final AtomicLong TAGS = new AtomicLong();
        private static final long QUEUE = queue();

        private static long queue() {
            PointerByReference error = new PointerByReference();
            long queue = made(LIBRARY.mailru_queue_new(256, -1, error), error);
            Thread taker = new Thread(() -> take(queue), "mailru completions");
            taker.setDaemon(true);
            taker.start();
            return queue;
        }

        static CompletableFuture<String> submit(long session, String method, String params) {
            long tag = TAGS.incrementAndGet();
            CompletableFuture<String> future = new CompletableFuture<>() {
                @Override
                public boolean cancel(boolean mayInterruptIfRunning) {
                    // First, so that the future's outcome is the cancellation, not the call's.
                    boolean cancelled = super.cancel(mayInterruptIfRunning);
                    LIBRARY.mailru_queue_cancel(QUEUE, tag);
                    return cancelled;
                }
            };
            WAITING.put(tag, future);
            PointerByReference error = new PointerByReference();
            if (LIBRARY.mailru_queue_submit(QUEUE, session, c(method), c(params), tag, error) != 0) {
                WAITING.remove(tag);
                throw Failure.of(error);
            }
            return future;
        }

        private static void take(long queue) {
            LongByReference tag = new LongByReference();
            IntByReference code = new IntByReference();
            while (true) {
                String json = taken(LIBRARY.mailru_queue_next(queue, -1, tag, code));
                CompletableFuture<String> future = WAITING.remove(tag.getValue());
                if (code.getValue() == 0) {
                    future.complete(json);
                } else {
                    future.completeExceptionally(new Failure(code.getValue(), json));
                }
            }
        }
    }
}
