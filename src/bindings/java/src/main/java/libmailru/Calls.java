package libmailru;

import com.sun.jna.Pointer;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;

/**
 * All calls of the process: a queue of the library's, and the one thread that takes its completions. Both are there only
 * while there are calls, so that a class loader that was used once can be collected.
 */
final class Calls {
    private static final int QUEUE_EMPTY = 31;
    private static final int IN_FLIGHT = 4096;
    private static final int IDLE_MS = 1000;
    private static final Object LOCK = new Object();
    private static final Map<Long, Call> WAITING = new ConcurrentHashMap<>();
    private static long tags;
    private static long queue;

    private Calls() {}

    /** Who waits for a call. */
    static final class Call {
        private final long queue;
        private final long tag;
        /** Held until the call is over. */
        private final Session session;
        private final Executor executor;
        final CallFuture<String> future;

        private Call(long queue, long tag, Session session, Executor executor) {
            this.queue = queue;
            this.tag = tag;
            this.session = session;
            this.executor = executor;
            future = new CallFuture<>(this::end, session.executor());
        }

        /** Ends the call, unless it is over. */
        void end() {
            if (WAITING.containsKey(tag)) {
                Library.functions().mailru_queue_cancel(queue, tag);
            }
        }

        /** Hands over the outcome. What depends on it runs elsewhere: it may wait for other calls. */
        private void over(int code, String json) {
            Runnable finish = () -> {
                if (code == 0) {
                    future.finish(json);
                } else {
                    future.fail(MailruException.of(code, json));
                }
            };
            try {
                executor.execute(finish);
            } catch (RejectedExecutionException closed) {
                finish.run();
            }
        }
    }

    /** How many calls are under way, ended ones included that the library has not completed yet. */
    static int inFlight() {
        return WAITING.size();
    }

    /** Begins a request. Its future completes in the executor. */
    static Call submit(Session session, Request request, Executor executor) {
        Call call;
        synchronized (LOCK) {
            if (queue == 0) {
                queue = Library.made(error -> Library.functions().mailru_queue_new(IN_FLIGHT, -1, error));
                long own = queue;
                Thread taker = new Thread(null, () -> take(own), "mailru completions", 256 * 1024);
                taker.setDaemon(true);
                taker.setContextClassLoader(null);
                taker.start();
            }
            call = new Call(queue, ++tags, session, executor);
            WAITING.put(call.tag, call);
        }
        try {
            byte[] json = request.json();
            byte[] data = request.data();
            // JNA makes NULL of no bytes at all.
            byte[] bytes = data != null && data.length == 0 ? new byte[1] : data;
            long size = data == null ? 0 : data.length;
            Library.made(error -> Library.functions().mailru_queue_request(call.queue, session.number(), json, bytes,
                    new Library.SizeT(size), request.cancelNumber(), call.tag, error));
        } catch (Throwable refused) {
            WAITING.remove(call.tag);
            throw refused;
        }
        return call;
    }

    private static void take(long own) {
        long[] tag = new long[1];
        int[] code = new int[1];
        Library.Functions c = Library.functions();
        while (true) {
            Call call = null;
            try {
                Pointer answer = c.mailru_queue_next(own, IDLE_MS, tag, code);
                if (code[0] == QUEUE_EMPTY) {
                    synchronized (LOCK) {
                        if (WAITING.isEmpty()) {
                            c.mailru_queue_free(own);
                            queue = 0;
                            return;
                        }
                    }
                    continue;
                }
                call = WAITING.remove(tag[0]);
                String json = Library.taken(answer);
                if (call != null) {
                    call.over(code[0], json);
                }
            } catch (Throwable error) {
                // Memory, say: this call fails, the others go on.
                if (call != null) {
                    call.future.fail(error);
                }
            }
        }
    }
}
