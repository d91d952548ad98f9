package libmailru;

import com.sun.jna.Pointer;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/** Calls that are submitted at once and taken as they complete, by as many threads as you like; with a tag of any kind.
 * Where a future for each is enough, use callAsync. */
public final class CallQueue<T> implements AutoCloseable {
    private static final int QUEUE_EMPTY = 31;
    private static final int SLICE_MS = 50;

    /** What became of a submission: its tag, and its JSON or its error. */
    public record Completion<T>(T tag, String json, MailruException error) {
        /** The JSON, or the error thrown. */
        public String text() {
            if (error != null) {
                throw error;
            }
            return json;
        }
    }

    /** It holds the functions, too, as long as the object is in use. */
    private record Freer(Library.Functions c, long number) implements Runnable {
        @Override
        public void run() {
            c.mailru_queue_free(number);
        }
    }

    private record Pending<T>(T tag, Session session) {}

    private final long number;
    private final Cleaner.Cleanable cleanable;
    private final Map<Long, Pending<T>> pending = new ConcurrentHashMap<>();
    private final AtomicLong tags = new AtomicLong();

    /** So many calls may be in flight at once, and so many submissions not taken yet; 0 is the library's default. */
    public CallQueue(int workers, int capacity) {
        if (workers < 0 || capacity < 0) {
            throw MailruException.argument(workers < 0 ? "workers" : "capacity", "is negative");
        }
        number = Library.made(error -> Library.functions().mailru_queue_new(workers, capacity, error));
        cleanable = Library.CLEANER.register(this, new Freer(Library.functions(), number));
    }

    /** Hands over a call. */
    public void submit(Session session, String method, Map<String, ?> params, T tag) {
        byte[] name = Text.text("method", method);
        byte[] json = Text.text("params_json", Text.object("params_json", params));
        enter(session, tag, own -> Library.made(error -> Library.functions().mailru_queue_submit(number,
                session.number(), name, json, own, error)));
    }

    /** Hands over any request. */
    public void submit(Session session, Request request, T tag) {
        byte[] json = request.json();
        byte[] data = request.data();
        long size = data == null ? 0 : data.length;
        enter(session, tag, own -> Library.made(error -> Library.functions().mailru_queue_request(number,
                session.number(), json, data, new Library.SizeT(size), request.cancelNumber(), own, error)));
    }

    /** The next completion; it waits until one comes. */
    public Completion<T> take() throws InterruptedException {
        while (true) {
            Optional<Completion<T>> completion = next(SLICE_MS);
            if (completion.isPresent()) {
                return completion.get();
            }
        }
    }

    /** The next completion, if one comes in time. */
    public Optional<Completion<T>> poll(Duration wait) throws InterruptedException {
        long end = System.nanoTime() + (wait.isZero() ? 0 : Text.milliseconds("wait", wait) * 1_000_000);
        while (true) {
            long left = Math.max(0, (end - System.nanoTime() + 999_999) / 1_000_000);
            Optional<Completion<T>> completion = next((int) Math.min(left, SLICE_MS));
            if (completion.isPresent() || left == 0) {
                return completion;
            }
        }
    }

    /** Completes what bears this tag as cancelled. */
    public void cancel(T tag) {
        pending.forEach((own, entry) -> {
            if (entry.tag.equals(tag)) {
                Library.done(Library.functions().mailru_queue_cancel(number, own), "queue");
            }
        });
    }

    /** A descriptor that is readable while a completion waits, for native event loops; -1 on Windows. */
    public int descriptor() {
        return Library.functions().mailru_queue_fd(number);
    }

    /** Cancels what is pending; who waits is told that the queue is closed. */
    @Override
    public void close() {
        cleanable.clean();
        pending.clear();
    }

    private interface Submission {
        void as(long own);
    }

    private void enter(Session session, T tag, Submission submission) {
        long own = tags.incrementAndGet();
        pending.put(own, new Pending<>(tag, session));
        try {
            submission.as(own);
        } catch (Throwable refused) {
            pending.remove(own);
            throw refused;
        }
        Reference.reachabilityFence(this);
    }

    private Optional<Completion<T>> next(int ms) throws InterruptedException {
        if (Thread.interrupted()) {
            throw new InterruptedException();
        }
        long[] own = new long[1];
        int[] code = new int[1];
        Pointer answer = Library.functions().mailru_queue_next(number, ms, own, code);
        Reference.reachabilityFence(this);
        String json = Library.taken(answer);
        if (code[0] == QUEUE_EMPTY) {
            return Optional.empty();
        }
        Pending<T> entry = pending.remove(own[0]);
        if (entry == null) {
            throw MailruException.of(code[0], json);
        }
        return Optional.of(code[0] == 0
                ? new Completion<>(entry.tag, json, null)
                : new Completion<>(entry.tag, null, MailruException.of(code[0], json)));
    }
}
