package libmailru;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;

/** Ends the calls that were given it, from another thread, and tells how much of their requests was sent. */
public final class Cancel implements AutoCloseable {
    /** How many bytes of the requests were sent, and how many there are to send. */
    public record Progress(long sent, long total) {}

    /** It holds the functions, too, as long as the object is in use. */
    private record Freer(Library.Functions c, long number) implements Runnable {
        @Override
        public void run() {
            c.mailru_cancel_free(number);
        }
    }

    final long number;
    private final Cleaner.Cleanable cleanable;

    public Cancel() {
        number = Library.functions().mailru_cancel_new();
        cleanable = Library.CLEANER.register(this, new Freer(Library.functions(), number));
    }

    /** Its calls end as cancelled, later ones at once. */
    public void fire() {
        Library.done(Library.functions().mailru_cancel_fire(number), "cancel");
        Reference.reachabilityFence(this);
    }

    public Progress progress() {
        long[] sent = new long[1];
        long[] total = new long[1];
        Library.done(Library.functions().mailru_cancel_progress(number, sent, total), "cancel");
        Reference.reachabilityFence(this);
        return new Progress(sent[0], total[0]);
    }

    @Override
    public void close() {
        cleanable.clean();
    }
}
