import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** The cases of cases.tsv in Java. */
final class Conformance {
    private static final String APP_ID = "423004";
    private static final String PRIVATE_KEY = "7815696ecbf1c96e6894b779456d330e";
    private static final String SECRET_KEY = "3dad9cbf9baaa0360c0f2ba372d25716";
    private static final String SESSION_KEY = "be6ef89965d58e56dec21acb9b62bdaa";

    private record Case(String name, String action, String circuit, String options, String method, String parameters,
            String code, String contains) {
        static Case of(String line) {
            String[] column = line.split("\t");
            return new Case(column[0], column[1], column[2], column[3], column[4],
                    column[5].equals("-") ? null : column[5], column[6], column[7].equals("-") ? "" : column[7]);
        }

        Mailru.Session session() {
            return switch (circuit) {
                case "client" -> Mailru.Session.client(APP_ID, PRIVATE_KEY, SESSION_KEY, "1324730981306483817", options);
                case "server" -> Mailru.Session.server(APP_ID, SECRET_KEY, SESSION_KEY, options);
                default -> Mailru.Session.passwordClient(APP_ID, PRIVATE_KEY, "demo@mail.ru", "demo", null, options);
            };
        }

        String act() throws Exception {
            try (Mailru.Session session = session()) {
                return switch (action) {
                    case "call" -> session.call(method, parameters);
                    case "sign" -> session.sign(method, parameters);
                    case "together" -> together(session);
                    case "crowd" -> crowd(session);
                    case "deadline" -> session.call(method, parameters, Duration.ofMillis(300));
                    case "cancel" -> cancelled(session);
                    case "stale" -> {
                        session.close();
                        yield session.call(method, parameters);
                    }
                    case "renewal" -> renewal(session);
                    default -> throw new IllegalStateException("unknown action");
                };
            }
        }

        private String together(Mailru.Session session) throws Exception {
            int calls = Integer.parseInt(parameters);
            ExecutorService threads = Executors.newFixedThreadPool(calls);
            List<Future<String>> answers = new ArrayList<>();
            for (int tag = 0; tag < calls; tag++) {
                String own = "{\"tag\":" + tag + "}";
                answers.add(threads.submit(() -> session.call(method, own)));
            }
            for (int tag = 0; tag < calls; tag++) {
                check(answers.get(tag).get().contains("\"tag\":\"" + tag + "\""), "another call's answer");
            }
            threads.shutdown();
            return "";
        }

        private String crowd(Mailru.Session session) {
            List<CompletableFuture<String>> answers = new ArrayList<>();
            for (int tag = 0; tag < Integer.parseInt(parameters); tag++) {
                answers.add(session.callAsync(method, "{\"tag\":" + tag + "}"));
            }
            for (int tag = 0; tag < answers.size(); tag++) {
                check(answers.get(tag).join().contains("\"tag\":\"" + tag + "\""), "another call's answer");
            }
            return "";
        }

        private String cancelled(Mailru.Session session) throws Exception {
            CompletableFuture<String> answer = session.callAsync(method, parameters);
            Thread.sleep(200);
            check(Mailru.inFlight() == 1, "not under way");
            answer.cancel(true);
            for (int waited = 0; Mailru.inFlight() > 0; waited++) {
                check(waited < 200, "the call goes on");
                Thread.sleep(10);
            }
            session.call("sandbox.echo", null);
            return answer.join();
        }

        private String renewal(Mailru.Session session) {
            List<String> told = Collections.synchronizedList(new ArrayList<>());
            session.onToken(told::add);
            session.call("sandbox.echo", null);
            String answer = session.call(method, parameters);
            session.onToken(null);
            check(told.size() == 2 && !told.get(0).equals(told.get(1)) && told.get(1).equals(session.tokens()),
                    "told of " + told.size() + " sets of tokens");
            return answer;
        }

        String verdict() {
            String got = "MAILRU_OK";
            String text = "";
            try {
                text = act();
            } catch (Mailru.Failure failure) {
                got = failure.code();
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
