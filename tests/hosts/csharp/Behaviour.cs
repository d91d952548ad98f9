using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Threading;
using System.Threading.Tasks;
using Mailru;
using Newtonsoft.Json.Linq;

/// <summary>What the wrapper promises beyond the cases: each promise is a method that prints "ok NAME", or fails the
/// program.</summary>
internal static class Behaviour
{
    private const string AppId = "423004";
    private const string PrivateKey = "7815696ecbf1c96e6894b779456d330e";
    private const string SessionKey = "be6ef89965d58e56dec21acb9b62bdaa";
    private const string Slow = "sandbox.echo.slow";

    private static SessionOptions Options()
    {
        return SessionOptions.FromJson(Environment.GetEnvironmentVariable("MAILRU_OPTIONS"));
    }

    private static Session Client(SessionOptions options = null)
    {
        return Session.Client(AppId, PrivateKey, SessionKey, "1324730981306483817", options ?? Options());
    }

    private static Session Password()
    {
        return Session.Password(AppId, "demo@mail.ru", "demo", PrivateKey, options: Options());
    }

    private static void Check(bool holds, object what)
    {
        if (!holds)
        {
            throw new InvalidOperationException(what == null ? "null" : what.ToString());
        }
    }

    private static T Failure<T>(Action act) where T : Exception
    {
        try
        {
            act();
        }
        catch (T failure)
        {
            return failure;
        }
        throw new InvalidOperationException("nothing was thrown");
    }

    private static bool Soon(Func<bool> holds)
    {
        for (int step = 0; step < 500 && !holds(); step++)
        {
            Thread.Sleep(10);
        }
        return holds();
    }

    private static void Promise(string name, Action keep)
    {
        try
        {
            keep();
            Console.WriteLine("ok " + name);
        }
        catch (Exception broken)
        {
            Console.WriteLine("FAIL " + name + " " + broken);
            Environment.Exit(1);
        }
    }

    // In a method of its own, so that no local variable holds the session.
    private static Task<JToken> CallOfAForgottenSession(string method)
    {
        return Client().CallAsync(method);
    }

    private static void AnswerOfAForgottenSession()
    {
        for (int round = 0; round < 5; round++)
        {
            Task<JToken> call = CallOfAForgottenSession("sandbox.echo.together");
            for (int step = 0; step < 5; step++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                Thread.Sleep(20);
            }
            Check(call.Result is JObject, "another answer");
        }
        // And of one that is used by a thread that waits.
        var waiting = new Thread(() => CallAndForget());
        waiting.Start();
        while (waiting.IsAlive)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Thread.Sleep(20);
        }
        Check(called, "freed under a call");
    }

    private static volatile bool called;

    private static void CallAndForget()
    {
        called = Client().Call("sandbox.echo.together") is JObject;
    }

    private static void MakeAndForget(List<WeakReference> made)
    {
        for (int each = 0; each < 20; each++)
        {
            Session session = Client();
            // Listeners that mention their session.
            session.OnToken(tokens => Console.WriteLine(session));
            session.OnRenewal(phase => Console.WriteLine(session));
            made.Add(new WeakReference(session));
        }
    }

    private static void ForgottenSessionsAreFreed()
    {
        var made = new List<WeakReference>();
        // Mono looks for references on stacks conservatively: on another thread's none is left.
        var maker = new Thread(() => MakeAndForget(made));
        maker.Start();
        maker.Join();
        Check(Soon(() =>
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return made.Count(session => session.IsAlive) <= 2;
        }), made.Count(session => session.IsAlive) + " of 20 are alive");
    }

    private static void ListenersMayThrow()
    {
        var reports = new List<string>();
        EventHandler<ListenerFailedEventArgs> handler = (sender, failed) =>
        {
            lock (reports)
            {
                reports.Add(failed.Listener + ": " + failed.Exception.Message);
            }
        };
        Platform.ListenerFailed += handler;
        using (Session session = Password())
        {
            session.OnToken(tokens => throw new IOException("the disk is full"));
            Check((string)session.Call("sandbox.echo", new { a = 1 })["a"] == "1", "no answer");
        }
        Check(reports.SequenceEqual(new[] { "token listener: the disk is full" }), string.Join(", ", reports));
        Platform.Log((level, line) => throw new IOException("no space left"), LogLevel.Debug);
        using (Session session = Client())
        {
            Check((string)session.Call("sandbox.echo", new { a = 1 })["a"] == "1", "no answer");
        }
        Platform.Log(null);
        Check(reports.Contains("logger: no space left"), string.Join(", ", reports));
        Platform.ListenerFailed -= handler;
    }

    // Mono stops all threads that have run managed code by signals, which the library's threads block.
    private static void CollectionsGoOnAfterCallbacks()
    {
        Platform.Log((level, line) => { }, LogLevel.Debug);
        using (Session session = Password())
        {
            session.OnToken(tokens => { });
            session.Call("sandbox.echo");
            Platform.Log(null);
            for (int step = 0; step < 5; step++)
            {
                GC.Collect();
                Thread.Sleep(20);
            }
        }
    }

    private static void LimitsAndTextsAreWhole()
    {
        using (Session session = Client())
        {
            Failure<CallTimeoutException>(() => session.Call(Slow, null, TimeSpan.FromTicks(1)));
            foreach (TimeSpan wrong in new[] { TimeSpan.Zero, TimeSpan.FromSeconds(-1) })
            {
                var refused = Failure<InvalidArgumentException>(() => session.Call(Slow, null, wrong));
                Check(refused.ArgumentName == "timeout", refused);
            }
            Check(Failure<InvalidArgumentException>(() => session.Call("sandbox.echo\0x")).ArgumentName == "method", "NUL");
            Failure<InvalidArgumentException>(() => Client(new SessionOptions { UserAgent = "a\0b" }));
            Failure<InvalidArgumentException>(() => session.Call("sandbox.echo", new { a = "\ud83d" }));
            Failure<InvalidArgumentException>(() => session.Call("sandbox.echo", new[] { 1 }));
            Failure<InvalidArgumentException>(() => session.Call("sandbox.echo", "{},\"pass_error\":true"));
            Failure<InvalidArgumentException>(() => session.Call((string)null));
            Check((string)session.Call("sandbox.echo", new { a = "x\0y" })["a"] == "x\0y", "NUL in JSON");
            var ids = new { id = ulong.MaxValue, date = "2026-11-30T00:00:00Z" };
            JToken echo = session.Call("sandbox.echo", ids);
            Check((string)echo["id"] == "18446744073709551615" && (string)echo["date"] == ids.date, echo);
            Check((string)session.Call("friends.get")[0] == "15410773191172635989", "a long id");
        }
    }

    private static void TokensEndCallsAlone()
    {
        using (Session session = Client())
        using (var source = new CancellationTokenSource())
        {
            Task<JToken> ended = session.CallAsync(Slow, null, source.Token), other = session.CallAsync("sandbox.echo.together");
            source.CancelAfter(100);
            Failure<OperationCanceledException>(() => ended.GetAwaiter().GetResult());
            Check(ended.IsCanceled && other.Result != null, "the other one");
            Check(session.CallAsync(Slow, null, source.Token).IsCanceled, "begun though cancelled");
            Check(Soon(() => Platform.InFlight == 0), "the call goes on");
            var caller = new Thread(() => Failure<ThreadInterruptedException>(() => session.Call(Slow)));
            caller.Start();
            Thread.Sleep(200);
            caller.Interrupt();
            Check(caller.Join(2000) && Soon(() => Platform.InFlight == 0), "Thread.Interrupt");
        }
    }

    private static void TokensAreToldBeforeTheyAreUsed()
    {
        using (Session session = Password())
        {
            bool same = false, hidden = false;
            string inside = null;
            session.OnToken(tokens =>
            {
                same = tokens.Equals(session.Tokens());
                hidden = !tokens.ToString().Contains(tokens.AccessToken);
                inside = Failure<ReenteredException>(() => session.Call("sandbox.echo")).Name;
            });
            session.Call("sandbox.echo");
            Check(same && hidden && inside == "MAILRU_REENTERED", inside);
        }
        using (Session session = Password())
        {
            session.OnToken(tokens =>
            {
                session.Hold();
                Task.Delay(200).ContinueWith(over => session.Proceed());
            });
            Stopwatch watch = Stopwatch.StartNew();
            session.Call("sandbox.echo");
            Check(watch.ElapsedMilliseconds >= 200, "it is held back");
            Failure<MailruException>(session.Hold);
        }
    }

    private static void ErrorsSayWhatTheyKnow()
    {
        using (Session session = Client())
        {
            var late = Failure<CallTimeoutException>(() => session.Call(Slow, null, TimeSpan.FromMilliseconds(100)));
            Check(late.Number == -21 && late.IsTransient && late.Sent == true, late.Json);
            SessionOptions nowhere = Options();
            nowhere.Others["api_url"] = "http://127.0.0.1:1/";
            nowhere.Retries = 0;
            var unsent = Failure<NetworkException>(() => Client(nowhere).Call("sandbox.echo"));
            Check(unsent.Sent == false && unsent.IsTransient, unsent.Json);
            string url = Platform.AuthorizeUrl("1", "https://example.com/in", address: "http://127.0.0.1:1/login");
            Check(url.StartsWith("http://127.0.0.1:1/login?"), url);
            var queue = new CallQueue<string>(0, 1);
            queue.Submit(session, "no.such.method", null, "tag");
            Failure<QueueFullException>(() => queue.Submit(session, Slow, null, "second"));
            Completion<string> done = queue.Take();
            Check(done.Tag == "tag" && done.Error.Number == 2 && queue.Descriptor > 0, done.Json);
            Check(queue.Take(TimeSpan.Zero) == null, "not empty");
            queue.Dispose();
            Failure<InvalidHandleException>(() => queue.Take());
        }
    }

    /// <summary>How long another process runs one of the programs below, and what it prints.</summary>
    private static string Another(string program, out TimeSpan took, string library = null)
    {
        var start = new ProcessStartInfo(Process.GetCurrentProcess().MainModule.FileName,
            "\"" + Assembly.GetExecutingAssembly().Location + "\" " + program)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true
        };
        if (library != null)
        {
            start.EnvironmentVariables["MAILRU_LIBRARY"] = library;
        }
        Stopwatch watch = Stopwatch.StartNew();
        using (Process process = Process.Start(start))
        {
            string output = process.StandardError.ReadToEnd() + process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            took = watch.Elapsed;
            return output;
        }
    }

    private static void ExitDoesNotWait()
    {
        foreach (string program in new[] { "return", "exit", "exception" })
        {
            string output = Another(program, out TimeSpan took);
            Check(took < TimeSpan.FromSeconds(6), program + " took " + took + ": " + output);
        }
        string missing = Another("exit", out _, "/nowhere/libmailru.so.0");
        Check(missing.Contains("/nowhere/libmailru.so.0") && missing.Contains("MAILRU_LIBRARY"), missing);
    }

    private static void Program(string name)
    {
        Session session = Client();
        Platform.Log((level, line) => { }, LogLevel.Debug);
        session.OnToken(tokens => Console.WriteLine(session));
        session.CallAsync(Slow);
        new Thread(() => session.Call(Slow)) { IsBackground = true }.Start();
        new Thread(() => new CallQueue<int>().Take()) { IsBackground = true }.Start();
        Thread.Sleep(300);
        if (name == "exit")
        {
            Environment.Exit(0);
        }
        else if (name == "exception")
        {
            throw new InvalidOperationException("on purpose");
        }
    }

    private static void Main(string[] arguments)
    {
        if (arguments.Length > 0)
        {
            Program(arguments[0]);
            return;
        }
        Promise("no finalizer frees a session under its call", AnswerOfAForgottenSession);
        Promise("a listener that mentions its session does not keep it", ForgottenSessionsAreFreed);
        Promise("what a listener throws is reported and the answer kept", ListenersMayThrow);
        Promise("collections go on after callbacks", CollectionsGoOnAfterCallbacks);
        Promise("limits and texts are whole", LimitsAndTextsAreWhole);
        Promise("a cancellation token and an interrupt end their call alone", TokensEndCallsAlone);
        Promise("tokens are told before they are used", TokensAreToldBeforeTheyAreUsed);
        Promise("errors say what they know", ErrorsSayWhatTheyKnow);
        Promise("exit does not wait and a missing library is named", ExitDoesNotWait);
    }
}
