package libmailru;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.lang.ref.WeakReference;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/** What the wrapper promises beyond the cases: each promise is a method that prints "ok NAME", or fails the program. */
public final class Behaviour {
    private static final String SLOW = "sandbox.echo.slow";
    private static final String OPTIONS = System.getenv("MAILRU_OPTIONS");

    private interface Promise {
        void keep() throws Exception;
    }

    private Behaviour() {}

    static SessionBuilder builder() {
        return Session.builder("423004").privateKey("7815696ecbf1c96e6894b779456d330e").options(OPTIONS);
    }

    static Session client() {
        return builder().client("be6ef89965d58e56dec21acb9b62bdaa", "1324730981306483817");
    }

    static Session password() {
        return builder().password("demo@mail.ru", "demo");
    }

    private static void check(boolean holds, Object what) {
        if (!holds) {
            throw new IllegalStateException(String.valueOf(what));
        }
    }

    private static void promise(String name, Promise promise) {
        try {
            promise.keep();
            System.out.println("ok " + name);
        } catch (Throwable broken) {
            System.out.println("FAIL " + name);
            broken.printStackTrace(System.out);
            System.exit(1);
        }
    }

    private static MailruException failure(Supplier<?> act) {
        try {
            act.get();
        } catch (MailruException failure) {
            return failure;
        } catch (CompletionException wrapped) {
            return (MailruException) wrapped.getCause();
        }
        throw new IllegalStateException("nothing was thrown");
    }

    private static boolean soon(BooleanSupplier holds) throws InterruptedException {
        for (int step = 0; step < 500 && !holds.getAsBoolean(); step++) {
            Thread.sleep(10);
        }
        return holds.getAsBoolean();
    }

    private static boolean isFreed(long session) {
        try {
            Library.answer(code -> Library.functions().mailru_tokens(session, code));
            return false;
        } catch (MailruException.InvalidHandle freed) {
            return true;
        }
    }

    /** How another virtual machine fares with one of the programs below. */
    private static String another(String program, Map<String, String> environment) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(System.getProperty("java.home") + "/bin/java", "-cp",
                System.getProperty("java.class.path"), "libmailru.Behaviour", program).redirectErrorStream(true);
        builder.environment().putAll(environment);
        Process process = builder.start();
        process.getOutputStream().close();
        check(process.waitFor(15, TimeUnit.SECONDS), program + " does not end");
        return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }

    private static void dependentsMayWait() throws Exception {
        try (Session session = client()) {
            List<CompletableFuture<String>> all = new ArrayList<>();
            for (int call = 0; call < 20; call++) {
                all.add(session.callAsync("sandbox.echo", null).thenApply(
                        first -> session.callAsync("sandbox.echo", Map.of("a", 1)).join().toString()));
            }
            for (CompletableFuture<String> each : all) {
                check(each.get(20, TimeUnit.SECONDS).contains("\"a\":\"1\""), "another answer");
            }
            // An Error in a stage is that stage's.
            CompletableFuture<Object> broken = session.callAsync("sandbox.echo", null).thenApply(answer -> {
                throw new StackOverflowError();
            });
            check(soon(broken::isCompletedExceptionally), "the error vanished");
            CompletableFuture<?> direct = builder().executor(task -> {
                throw new OutOfMemoryError();
            }).client("be6ef89965d58e56dec21acb9b62bdaa", "1").callAsync("sandbox.echo", null);
            check(soon(direct::isCompletedExceptionally), "a broken executor leaves its future open");
            check(session.callAsync("sandbox.echo", null).get(5, TimeUnit.SECONDS) != null, "the thread is gone");
        }
    }

    private static void futuresEndTheirCalls() throws Exception {
        try (Session session = client()) {
            CompletableFuture<?> limited = session.callAsync(SLOW, null).orTimeout(100, TimeUnit.MILLISECONDS);
            check(soon(limited::isCompletedExceptionally) && soon(() -> Mailru.inFlight() == 0), "orTimeout");
            CompletableFuture<?> stage = session.callAsync(SLOW, null).thenApply(Object::toString).thenApply(a -> a);
            stage.cancel(true);
            check(soon(() -> Mailru.inFlight() == 0), "cancelling a dependent stage");
            session.callAsync(SLOW, null).completeOnTimeout(null, 100, TimeUnit.MILLISECONDS).get(5, TimeUnit.SECONDS);
            check(soon(() -> Mailru.inFlight() == 0), "completeOnTimeout");
        }
    }

    private static void interruptsEndCalls() throws Exception {
        try (Session session = client(); CallQueue<String> queue = new CallQueue<>(0, 0)) {
            List<Object> outcomes = Collections.synchronizedList(new ArrayList<>());
            Thread caller = new Thread(() -> {
                outcomes.add(failure(() -> session.call(SLOW)));
                outcomes.add(Thread.currentThread().isInterrupted());
            });
            Thread taker = new Thread(() -> {
                try {
                    queue.take();
                } catch (InterruptedException interrupt) {
                    outcomes.add(interrupt);
                }
            });
            for (Thread thread : List.of(caller, taker)) {
                thread.start();
                Thread.sleep(200);
                long started = System.nanoTime();
                thread.interrupt();
                thread.join();
                check(System.nanoTime() - started < 500_000_000L, "too slow");
            }
            check(outcomes.get(0) instanceof MailruException.Cancelled && outcomes.get(1).equals(true)
                    && outcomes.get(2) instanceof InterruptedException, outcomes);
            check(soon(() -> Mailru.inFlight() == 0), "the call goes on");
        }
    }

    private static void forgottenIsFreed() throws Exception {
        List<Long> numbers = new ArrayList<>();
        for (int each = 0; each < 20; each++) {
            Session session = client();
            numbers.add(session.number());
            // Listeners that mention their session.
            session.onToken(tokens -> System.out.println(session));
            session.onRenewal(phase -> System.out.println(session));
        }
        check(soon(() -> {
            System.gc();
            return numbers.stream().allMatch(Behaviour::isFreed);
        }), "a session is alive");
        // What is used is not freed.
        CompletableFuture<?> used = client().callAsync("sandbox.echo.together", null);
        System.gc();
        check(used.get(10, TimeUnit.SECONDS) != null, "freed under a call");
    }

    /** As a web application has it: the wrapper and what it needs in a loader of its own, which is used and forgotten. It
     * is collected when JNA's thread ends, 30 seconds after it had something to do. */
    private static void loadersAreCollected() throws Exception {
        List<URL> all = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            all.add(new File(entry).toURI().toURL());
        }
        URLClassLoader loader = new URLClassLoader(all.toArray(new URL[0]), ClassLoader.getPlatformClassLoader());
        loader.loadClass("libmailru.Behaviour").getMethod("useAndForget").invoke(null);
        WeakReference<ClassLoader> collected = new WeakReference<>(loader);
        loader = null;
        for (int step = 0; step < 400 && collected.get() != null; step++) {
            System.gc();
            Thread.sleep(250);
        }
        check(collected.get() == null, "the loader is alive");
    }

    /** Some of what a web application does; one session is closed, one is forgotten. */
    public static void useAndForget() throws Exception {
        Session session = password();
        session.onToken(tokens -> System.out.print(""));
        session.callAsync("sandbox.echo", null).thenApply(Object::toString).get(10, TimeUnit.SECONDS);
        Mailru.log(System.getLogger("mailru"));
        session.call("sandbox.echo");
        Mailru.log(null);
        client().call("sandbox.echo");
        session.close();
    }

    private static void noThreadIsLeft() throws Exception {
        try (Session session = password()) {
            session.onToken(tokens -> System.out.print(""));
            session.callAsync("sandbox.echo", null).get(10, TimeUnit.SECONDS);
            Mailru.log(System.getLogger("mailru"));
            session.call("sandbox.echo");
            check(threads().equals(Set.of("mailru completions", "mailru listeners")), threads());
            for (Thread thread : Thread.getAllStackTraces().keySet()) {
                check(!thread.getName().startsWith("mailru") || thread.getContextClassLoader() == null, thread);
            }
            Mailru.log(null);
        }
        check(soon(() -> threads().isEmpty()), threads());
        try (Session session = client()) {
            check(session.call("sandbox.echo") != null, "the thread does not come back");
        }
    }

    private static Set<String> threads() {
        return Thread.getAllStackTraces().keySet().stream().map(Thread::getName)
                .filter(name -> name.startsWith("mailru")).collect(Collectors.toSet());
    }

    private static void limitsAndTextsAreWhole() {
        try (Session session = client()) {
            Duration tiny = Duration.ofNanos(1);
            check(failure(() -> session.call(Request.call(SLOW).timeout(tiny))) instanceof MailruException.Timeout, "1 ns");
            for (Duration wrong : List.of(Duration.ZERO, Duration.ofSeconds(-1), Duration.ofSeconds(Long.MAX_VALUE))) {
                MailruException error = failure(() -> Request.call(SLOW).timeout(wrong));
                check(error.argument().orElseThrow().equals("timeout"), error);
            }
            check(failure(() -> session.call("sandbox.echo\0x")).argument().orElseThrow().equals("method"), "NUL");
            check(failure(() -> builder().option("user_agent", "a\0b").client("k", "1")) instanceof MailruException.Usage,
                    "NUL in an option");
            check(failure(() -> builder().client("k\0", "1")).argument().orElseThrow().equals("access_token"), "NUL");
            String half = "\ud83d";
            check(failure(() -> session.call("sandbox.echo", Map.of("a", half))).code() == 1, "half a character");
            check(session.call("sandbox.echo", Map.of("a", "x\0y")).toString().contains("x\\u0000y"), "NUL in JSON");
            check(session.call("sandbox.echo", Map.of("id", new java.math.BigInteger("18446744073709551615")))
                    .getAsJsonObject().get("id").getAsString().equals("18446744073709551615"), "a long id");
            check(failure(() -> Request.call("sandbox.echo").paramsJson("{},\"pass_error\":true")).code() == 1, "JSON");
            check(failure(() -> session.call((String) null)).argument().orElseThrow().equals("method"), "null");
        }
    }

    private static void listenersMayThrow() {
        List<Throwable> reports = Collections.synchronizedList(new ArrayList<>());
        Thread.setDefaultUncaughtExceptionHandler((thread, error) -> reports.add(error));
        try (Session session = password()) {
            session.onToken(tokens -> {
                throw new AssertionError("the disk is full");
            });
            check(session.call("sandbox.echo", Map.of("a", 1)).toString().contains("\"a\":\"1\""), "no answer");
            check(reports.size() == 1 && reports.get(0).getMessage().equals("the disk is full"), reports);
            Mailru.log(null);
        }
        Thread.setDefaultUncaughtExceptionHandler(null);
    }

    private static void tokensAreToldBeforeTheyAreUsed() {
        try (Session session = password()) {
            List<Object> inside = Collections.synchronizedList(new ArrayList<>());
            session.onToken(tokens -> {
                inside.add(tokens.equals(session.tokens()));
                inside.add(failure(() -> session.call("sandbox.echo")).name());
                inside.add(tokens.toString().contains(tokens.accessToken()));
            });
            session.call("sandbox.echo");
            check(inside.equals(List.of(true, "MAILRU_REENTERED", false)), inside);
        }
        try (Session session = password()) {
            session.onToken(tokens -> {
                session.hold();
                CompletableFuture.delayedExecutor(200, TimeUnit.MILLISECONDS).execute(session::proceed);
            });
            long began = System.nanoTime();
            session.call("sandbox.echo");
            check(System.nanoTime() - began > 200_000_000L, "it is held back");
            MailruException refused = failure(() -> {
                session.hold();
                return null;
            });
            check(refused.code() == 1, refused);
        }
    }

    private static void errorsSayWhatTheyKnow() throws Exception {
        try (Session session = client()) {
            MailruException error = failure(() -> session.call(Request.call(SLOW).timeout(Duration.ofMillis(100))));
            check(error.number() == -21 && error.isTransient() && error.sent().orElseThrow(), error.json());
            error = failure(() -> builder().option("api_url", "http://127.0.0.1:1/").retries(0).client("k", "1")
                    .call("sandbox.echo"));
            check(error instanceof MailruException.Network && !error.sent().orElseThrow(), error.json());
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
                out.writeObject(error);
            }
            ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()));
            MailruException copy = (MailruException) in.readObject();
            check(copy.json().equals(error.json()) && copy.sent().equals(error.sent()), copy);
            String url = Mailru.authorizeUrl("http://127.0.0.1:1/login", "token", "1", "https://example.com/in", null,
                    new String[0]);
            check(url.startsWith("http://127.0.0.1:1/login?") && url.contains("token"), url);
            CallQueue<Object> queue = new CallQueue<>(0, 1);
            queue.submit(session, "no.such.method", null, "tag");
            check(failure(() -> {
                queue.submit(session, SLOW, null, "second");
                return null;
            }) instanceof MailruException.QueueFull, "not full");
            CallQueue.Completion<Object> done = queue.take();
            check(done.tag().equals("tag") && done.error().number() == 2 && queue.descriptor() > 0, done);
            check(queue.poll(Duration.ZERO).isEmpty(), "not empty");
            queue.close();
            check(failure(() -> {
                try {
                    return queue.poll(Duration.ofMillis(1));
                } catch (InterruptedException interrupt) {
                    return null;
                }
            }) instanceof MailruException.InvalidHandle, "open");
        }
    }

    private static void othersEnd() throws Exception {
        for (String program : List.of("exit", "return", "exception")) {
            long started = System.nanoTime();
            another(program, Map.of());
            check(System.nanoTime() - started < 8_000_000_000L, program + " waits for its calls");
        }
        String output = another("exit", Map.of("MAILRU_LIBRARY", "/nowhere/libmailru.so.0"));
        check(output.contains("/nowhere/libmailru.so.0") && output.contains("MAILRU_LIBRARY"), output);
    }

    private static void program(String name) throws Exception {
        Session session = client();
        Mailru.log(System.getLogger("mailru"));
        session.onToken(tokens -> System.out.println(session));
        session.callAsync(SLOW, null);
        Thread caller = new Thread(() -> session.call(SLOW));
        caller.setDaemon(true);
        caller.start();
        Thread.sleep(300);
        if (name.equals("exit")) {
            System.exit(0);
        } else if (name.equals("exception")) {
            throw new IllegalStateException("on purpose");
        }
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length > 0) {
            program(arguments[0]);
            return;
        }
        promise("dependent stages may wait for other calls and may fail", Behaviour::dependentsMayWait);
        promise("cancelling or limiting a future ends its call", Behaviour::futuresEndTheirCalls);
        promise("interrupts end calls", Behaviour::interruptsEndCalls);
        promise("what is forgotten is freed and what is used is not", Behaviour::forgottenIsFreed);
        promise("no thread is left when there is nothing to do", Behaviour::noThreadIsLeft);
        promise("a class loader is collected", Behaviour::loadersAreCollected);
        promise("limits and texts are whole", Behaviour::limitsAndTextsAreWhole);
        promise("what a listener throws is reported and the answer kept", Behaviour::listenersMayThrow);
        promise("tokens are told before they are used", Behaviour::tokensAreToldBeforeTheyAreUsed);
        promise("errors say what they know", Behaviour::errorsSayWhatTheyKnow);
        promise("exit does not wait and a missing library is named", Behaviour::othersEnd);
    }
}
