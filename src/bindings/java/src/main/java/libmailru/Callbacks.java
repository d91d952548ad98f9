package libmailru;

import com.sun.jna.CallbackReference;
import com.sun.jna.Pointer;
import java.lang.ref.Reference;
import java.lang.ref.WeakReference;
import java.lang.reflect.Field;
import java.util.HashMap;
import java.util.Map;

/** The listeners that the library may call, by the number that it was given for each. */
final class Callbacks {
    /** A session's listeners, which it holds itself: one that mentions its session does not keep it. */
    private static final class Registration {
        private final WeakReference<Session> session;
        /** Set when the session is closed: a grant that outlives it is told, too. */
        private Session closed;

        Registration(Session session) {
            this.session = new WeakReference<>(session);
        }
    }

    private static final Map<Long, Registration> REGISTRATIONS = new HashMap<>();
    private static final long LINGER_MS = 1000;
    private static long numbers;

    /** What the library calls. JNA collects callbacks that nobody holds; the thread below holds these. They are no lambdas:
     * one that captures nothing is held by the code that makes it. */
    static final class Held {
        final Library.Told told = new Library.Told() {
            @Override
            public void invoke(Pointer number, Pointer tokens) {
                Session session = session(number);
                if (session != null) {
                    tell("token listener", () -> session.toldTokens(Tokens.parse(tokens.getString(0, "UTF-8"))));
                }
            }
        };
        final Library.Renewing renewing = new Library.Renewing() {
            @Override
            public void invoke(Pointer number, int phase) {
                Session session = session(number);
                if (session != null) {
                    tell("renewal listener",
                            () -> session.toldRenewal(phase == 1 ? Session.Phase.BEFORE : Session.Phase.AFTER));
                }
            }
        };
        final Library.Logged logged = new Library.Logged() {
            @Override
            public void invoke(Pointer number, int level, Pointer line) {
                tell("logger", () -> Mailru.logged(level, line.getString(0, "UTF-8")));
            }
        };
        final Library.Released released = new Library.Released() {
            @Override
            public void invoke(Pointer number) {
                synchronized (REGISTRATIONS) {
                    REGISTRATIONS.remove(Pointer.nativeValue(number));
                    REGISTRATIONS.notifyAll();
                }
            }
        };
    }

    /** There while there are registrations. */
    private static Held held;

    /** Gives the library a callback, and the number of its registration. */
    interface Setter {
        int set(Held held, Pointer number);
    }

    private Callbacks() {}

    /** Sets a callback of a session's, or of none. */
    static void register(Session session, String what, Setter setter) {
        Held callbacks;
        long number;
        synchronized (REGISTRATIONS) {
            if (held == null) {
                held = new Held();
                Library.CLEANER.register(held, Callbacks::forgetCollected);
                Thread holder = new Thread(null, Callbacks::hold, "mailru listeners", 64 * 1024);
                holder.setDaemon(true);
                holder.setContextClassLoader(null);
                holder.start();
            }
            callbacks = held;
            number = ++numbers;
            REGISTRATIONS.put(number, new Registration(session));
        }
        Library.done(setter.set(callbacks, Pointer.createConstant(number)), what);
    }

    /** Keeps the callbacks, and with them this class and its loader, as long as the library may call them. */
    private static void hold() {
        Library.Functions c = Library.functions();
        synchronized (REGISTRATIONS) {
            while (true) {
                try {
                    while (!REGISTRATIONS.isEmpty()) {
                        REGISTRATIONS.wait();
                    }
                    // The last callback returns meanwhile, by code that JNA frees with it.
                    REGISTRATIONS.wait(LINGER_MS);
                } catch (InterruptedException nobodyElseKnowsThisThread) {
                    continue;
                }
                if (REGISTRATIONS.isEmpty()) {
                    held = null;
                    Reference.reachabilityFence(c);
                    return;
                }
            }
        }
    }

    /** JNA's map of callbacks keeps what belongs to collected ones, and so the class loader, until it is looked into. */
    private static void forgetCollected() {
        try {
            Field callbacks = CallbackReference.class.getDeclaredField("callbackMap");
            callbacks.setAccessible(true);
            for (int step = 0; step < 10; step++) {
                ((Map<?, ?>) callbacks.get(null)).size();
                Thread.sleep(20);
            }
        } catch (ReflectiveOperationException | RuntimeException | InterruptedException another) {
            // A JNA without it: the loader stays, and nothing else is amiss.
        }
    }

    /** Before a session is freed: its listeners are kept until the library releases them. */
    static void closing(Session session) {
        synchronized (REGISTRATIONS) {
            for (Registration registration : REGISTRATIONS.values()) {
                if (registration.session.get() == session) {
                    registration.closed = session;
                }
            }
        }
    }

    private static Session session(Pointer number) {
        synchronized (REGISTRATIONS) {
            Registration registration = REGISTRATIONS.get(Pointer.nativeValue(number));
            return registration == null ? null : registration.session.get();
        }
    }

    /** Calls a listener. What it throws may not reach C: it goes where a thread's uncaught exceptions go. */
    static void tell(String what, Runnable listener) {
        try {
            listener.run();
        } catch (Throwable error) {
            try {
                Thread thread = Thread.currentThread();
                Thread.UncaughtExceptionHandler handler = Thread.getDefaultUncaughtExceptionHandler();
                if (handler != null) {
                    handler.uncaughtException(thread, error);
                } else {
                    System.err.println("mailru: the " + what + " threw an exception");
                    error.printStackTrace();
                }
            } catch (Throwable handlers) {
                // There is nobody left to tell.
            }
        }
    }
}
