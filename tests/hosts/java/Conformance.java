import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.reflect.TypeToken;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.ResourceBundle;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import libmailru.CallQueue;
import libmailru.Cancel;
import libmailru.Mailru;
import libmailru.MailruException;
import libmailru.Request;
import libmailru.Session;
import libmailru.SessionBuilder;
import libmailru.Tokens;

/** The cases of cases.tsv in Java. */
final class Conformance {
    private static final String APP_ID = "423004";
    private static final String PRIVATE_KEY = "7815696ecbf1c96e6894b779456d330e";
    private static final String SECRET_KEY = "3dad9cbf9baaa0360c0f2ba372d25716";
    private static final String SESSION_KEY = "be6ef89965d58e56dec21acb9b62bdaa";
    private static final String REDIRECT = "https://example.org/login";

    private record Case(String name, String action, String circuit, String options, String method, String parameters,
            String code, String contains) {
        static Case of(String line) {
            String[] column = line.split("\t");
            return new Case(column[0], column[1], column[2], column[3], column[4],
                    column[5].equals("-") ? null : column[5], column[6], column[7].equals("-") ? "" : column[7]);
        }

        private SessionBuilder builder() {
            return Session.builder(APP_ID).privateKey(PRIVATE_KEY).options(options);
        }

        private Session session() {
            return switch (circuit) {
                case "client" -> builder().client(SESSION_KEY, "1324730981306483817");
                case "server" -> builder().secretKey(SECRET_KEY).server(SESSION_KEY);
                default -> builder().circuit(Session.Circuit.CLIENT).password("demo@mail.ru", "demo");
            };
        }

        private Request request() {
            return Request.call(method).paramsJson(parameters);
        }

        private Map<String, String> members() {
            return new Gson().fromJson(parameters, new TypeToken<Map<String, String>>() {}.getType());
        }

        private String alone() {
            switch (action) {
                case "methods":
                    return Mailru.catalogue().toString();
                case "errors":
                    return Mailru.errorCatalogue().toString();
                case "verify":
                    return Mailru.verifyQuery(method, SECRET_KEY, parameters).toString();
                case "payment":
                    Mailru.verify(SECRET_KEY, members());
                    return "\"verified\":true";
                case "launch":
                    Mailru.verifyLaunch(SECRET_KEY, members());
                    return "\"verified\":true";
                case "redirect":
                    return Mailru.parseRedirect(parameters, "case-state").code();
                default:
                    return logIn();
            }
        }

        String act() throws Exception {
            if (circuit.equals("-")) {
                return alone();
            }
            try (Session session = session()) {
                return switch (action) {
                    case "call" -> session.text(request());
                    case "sign" -> session.signText(method, parameters);
                    case "together" -> together(session);
                    case "crowd" -> crowd(session);
                    case "deadline" -> session.text(request().timeout(Duration.ofMillis(300)));
                    case "cancel" -> cancelled(session);
                    case "stale" -> {
                        session.close();
                        yield session.text(request());
                    }
                    case "renewal" -> renewal(session);
                    case "request" -> session.text(Request.json(requestJson(), null));
                    case "queued" -> queued(session);
                    case "queue-cancel" -> queueCancelled(session);
                    case "session-cancel" -> {
                        later(session::cancel);
                        yield session.text(request());
                    }
                    case "upload" -> upload(session);
                    case "upload-cancel" -> {
                        Cancel cancel = new Cancel();
                        later(cancel::fire);
                        yield session.text(file().cancel(cancel));
                    }
                    case "public" -> session.text(Request.page(method));
                    case "rate" -> inTurn(session, Integer.parseInt(parameters));
                    case "error" -> failed(session);
                    case "log" -> logged(session);
                    case "stats" -> inTurn(session, 2) + session.stats();
                    case "token-file" -> {
                        session.call(method);
                        session.close();
                        yield restarted(null);
                    }
                    default -> throw new IllegalStateException("unknown action");
                };
            }
        }

        private String together(Session session) throws Exception {
            int calls = Integer.parseInt(parameters);
            ExecutorService threads = Executors.newFixedThreadPool(calls);
            List<Future<JsonElement>> answers = new ArrayList<>();
            for (int tag = 0; tag < calls; tag++) {
                Map<String, Integer> own = Map.of("tag", tag);
                answers.add(threads.submit(() -> session.call(method, own)));
            }
            for (int tag = 0; tag < calls; tag++) {
                check(repeats(answers.get(tag).get(), tag), "another call's answer");
            }
            threads.shutdown();
            return "";
        }

        private String crowd(Session session) {
            List<CompletableFuture<JsonElement>> answers = new ArrayList<>();
            for (int tag = 0; tag < Integer.parseInt(parameters); tag++) {
                answers.add(session.callAsync(method, Map.of("tag", tag)));
            }
            for (int tag = 0; tag < answers.size(); tag++) {
                check(repeats(answers.get(tag).join(), tag), "another call's answer");
            }
            return "";
        }

        private boolean repeats(JsonElement answer, int tag) {
            return answer.getAsJsonObject().get("tag").getAsString().equals(String.valueOf(tag));
        }

        private String cancelled(Session session) throws Exception {
            CompletableFuture<String> answer = session.textAsync(request());
            Thread.sleep(200);
            check(Mailru.inFlight() == 1, "not under way");
            answer.cancel(true);
            for (int waited = 0; Mailru.inFlight() > 0; waited++) {
                check(waited < 200, "the call goes on");
                Thread.sleep(10);
            }
            session.call("sandbox.echo");
            return answer.join();
        }

        private String renewal(Session session) throws Exception {
            List<Tokens> told = Collections.synchronizedList(new ArrayList<>());
            List<Session.Phase> phases = Collections.synchronizedList(new ArrayList<>());
            session.onToken(told::add);
            session.onRenewal(phases::add);
            session.call("sandbox.echo");
            String answer = session.text(request());
            for (int waited = 0; phases.size() < 2 && waited < 100; waited++) {
                Thread.sleep(10);
            }
            session.onToken(null);
            session.onRenewal(null);
            check(told.size() == 2 && !told.get(0).equals(told.get(1)) && told.get(1).equals(session.tokens()),
                    "told of " + told.size() + " sets of tokens");
            check(phases.equals(List.of(Session.Phase.BEFORE, Session.Phase.AFTER)), "the phases were " + phases);
            return answer;
        }

        private String requestJson() {
            return "{\"method\":\"" + method + "\",\"params\":" + parameters + "}";
        }

        private String queued(Session session) throws Exception {
            try (CallQueue<String> queue = new CallQueue<>(0, 0)) {
                queue.submit(session, Request.json(requestJson(), null), "tag");
                CallQueue.Completion<String> done = queue.poll(Duration.ofSeconds(30)).orElseThrow();
                check(done.tag().equals("tag"), "another tag");
                return done.text();
            }
        }

        private String queueCancelled(Session session) throws Exception {
            try (CallQueue<String> queue = new CallQueue<>(0, 0)) {
                queue.submit(session, method, null, "tag");
                Thread.sleep(200);
                queue.cancel("tag");
                return queue.poll(Duration.ofSeconds(2)).orElseThrow().text();
            }
        }

        private Request file() {
            return Request.upload(method, new byte[100_000], "img_file", "snail.jpg").paramsJson(parameters);
        }

        private String upload(Session session) {
            try (Cancel cancel = new Cancel()) {
                String answer = session.text(file().type("image/jpeg").cancel(cancel));
                Cancel.Progress progress = cancel.progress();
                check(progress.sent() == progress.total() && progress.total() > 100_000, progress.toString());
                return answer;
            }
        }

        private String inTurn(Session session, int calls) {
            for (int call = 0; call < calls; call++) {
                session.call(method);
            }
            return "";
        }

        private String failed(Session session) {
            try {
                return session.text(request());
            } catch (MailruException.Api error) {
                check(error.code() == 10 && error.number() == 2 && !error.text().isEmpty() && !error.isTransient(),
                        "the members are wrong");
                throw error;
            }
        }

        private String logged(Session session) throws Exception {
            List<String> lines = Collections.synchronizedList(new ArrayList<>());
            Mailru.log(new Lines(lines));
            String answer = session.text(request());
            for (int waited = 0; lines.stream().noneMatch(line -> line.contains("event=answer")) && waited < 100; waited++) {
                Thread.sleep(10);
            }
            Mailru.log(null);
            check(lines.stream().anyMatch(line -> line.contains("event=answer") && line.contains("method=" + method)),
                    lines.toString());
            check(!lines.toString().contains(SESSION_KEY), "a secret in the log");
            return answer;
        }

        private String logIn() {
            String url = Mailru.authorizeUrl(APP_ID, REDIRECT, "case-state");
            check(url.contains("state=case-state"), url);
            String given = Mailru.parseRedirect(parameters, "case-state").code();
            try (Session session = builder().circuit(Session.Circuit.CLIENT).code(given, REDIRECT)) {
                Tokens tokens = session.authorize();
                session.close();
                return restarted(tokens);
            }
        }

        private String restarted(Tokens tokens) {
            try (Session session = builder().stored(tokens == null ? null : tokens.toJson())) {
                if (tokens != null) {
                    session.setTokens(tokens);
                }
                return session.text(Request.call(method));
            }
        }

        String verdict() {
            String got = "MAILRU_OK";
            String text = "";
            try {
                text = act();
            } catch (MailruException failure) {
                got = failure.name();
                text = failure.json();
            } catch (CancellationException cancelled) {
                // The future's own word for it.
                got = "MAILRU_CANCELLED";
            } catch (Exception error) {
                return "FAIL " + name + " " + error;
            }
            return got.equals(code) && text.contains(contains) ? "ok " + name : "FAIL " + name + " " + got + " " + text;
        }
    }

    private record Lines(List<String> lines) implements System.Logger {
        @Override
        public String getName() {
            return "lines";
        }

        @Override
        public boolean isLoggable(Level level) {
            return true;
        }

        @Override
        public void log(Level level, ResourceBundle bundle, String message, Throwable thrown) {
            lines.add(message);
        }

        @Override
        public void log(Level level, ResourceBundle bundle, String format, Object... params) {
            lines.add(format);
        }
    }

    private static void later(Runnable action) {
        CompletableFuture.runAsync(action, CompletableFuture.delayedExecutor(200, java.util.concurrent.TimeUnit.MILLISECONDS));
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new CompletionException(what, null);
        }
    }

    public static void main(String[] arguments) throws Exception {
        for (String line : Files.readAllLines(Path.of(System.getenv("MAILRU_CASES")))) {
            if (!line.startsWith("#")) {
                System.out.println(Case.of(line).verdict());
            }
        }
    }
}
