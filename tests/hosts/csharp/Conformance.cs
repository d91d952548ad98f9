using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Mailru;
using Newtonsoft.Json.Linq;

/// <summary>The cases of cases.tsv in C#.</summary>
internal sealed class Conformance
{
    private const string AppId = "423004";
    private const string PrivateKey = "7815696ecbf1c96e6894b779456d330e";
    private const string SecretKey = "3dad9cbf9baaa0360c0f2ba372d25716";
    private const string SessionKey = "be6ef89965d58e56dec21acb9b62bdaa";
    private const string RedirectUri = "https://example.org/login";

    private readonly string name, action, circuit, options, method, parameters, code, contains;

    private Conformance(string line)
    {
        string[] column = line.Split('\t').Select(text => text == "-" ? null : text).ToArray();
        name = column[0];
        action = column[1];
        circuit = column[2];
        options = column[3];
        method = column[4];
        parameters = column[5];
        code = column[6];
        contains = column[7] ?? "";
    }

    private static void Check(bool holds, string what)
    {
        if (!holds)
        {
            throw new InvalidOperationException(what);
        }
    }

    private static void Later(Action act)
    {
        Task.Delay(200).ContinueWith(_ => act());
    }

    private SessionOptions Options()
    {
        return options == null ? null : SessionOptions.FromJson(options);
    }

    private Session NewSession()
    {
        switch (circuit)
        {
            case "client":
                return Session.Client(AppId, PrivateKey, SessionKey, "1324730981306483817", Options());
            case "server":
                return Session.Server(AppId, SecretKey, SessionKey, Options());
            default:
                return Session.Password(AppId, "demo@mail.ru", "demo", privateKey: PrivateKey, circuit: Circuit.Client,
                    options: Options());
        }
    }

    private string Alone()
    {
        switch (action)
        {
            case "methods": return Compact(Platform.Catalogue());
            case "errors": return Compact(Platform.ErrorCatalogue());
            case "verify": return Compact(Platform.VerifyQuery(method, SecretKey, parameters));
            case "payment":
                Platform.Verify(SecretKey, parameters);
                return "\"verified\":true";
            case "launch":
                Platform.VerifyLaunch(SecretKey, parameters);
                return "\"verified\":true";
            case "redirect": return Platform.ParseRedirect(parameters, "case-state").Code;
            default: return LogIn();
        }
    }

    private static string Compact(JToken token)
    {
        return token.ToString(Newtonsoft.Json.Formatting.None);
    }

    private async Task<string> Act()
    {
        if (circuit == null)
        {
            return Alone();
        }
        using (Session session = NewSession())
        {
            switch (action)
            {
                case "call": return session.Text(new Request(method, parameters));
                case "sign": return session.SignText(method, parameters);
                case "together": return Together(session);
                case "crowd": return await Crowd(session);
                case "deadline": return Compact(session.Call(method, parameters, TimeSpan.FromMilliseconds(300)));
                case "cancel": return await Cancelled(session);
                case "stale":
                    session.Dispose();
                    return session.Text(new Request(method, parameters));
                case "renewal": return Renewal(session);
                case "request": return session.Text(Request.FromJson(RequestJson()));
                case "queued": return Queued(session);
                case "queue-cancel": return QueueCancelled(session);
                case "session-cancel":
                    Later(session.CancelCalls);
                    return session.Text(new Request(method));
                case "upload": return Upload(session);
                case "upload-cancel":
                    using (var source = new CancellationTokenSource(200))
                    {
                        return await session.TextAsync(File(), source.Token);
                    }
                case "public": return session.Text(Request.Page(method));
                case "rate": return InTurn(session, int.Parse(parameters));
                case "error": return Failed(session);
                case "log": return Logged(session);
                case "stats": return InTurn(session, 2) + Compact(session.Stats());
                case "token-file":
                    session.Call(method);
                    session.Dispose();
                    return Restarted(null);
                default: throw new InvalidOperationException("unknown action");
            }
        }
    }

    private string Together(Session session)
    {
        var answers = new JToken[int.Parse(parameters)];
        var threads = answers.Select((_, tag) =>
            new Thread(() => answers[tag] = session.Call(method, new { tag }))).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        for (int tag = 0; tag < answers.Length; tag++)
        {
            Check((string)answers[tag]["tag"] == tag.ToString(), "another call's answer");
        }
        return "";
    }

    private async Task<string> Crowd(Session session)
    {
        var calls = Enumerable.Range(0, int.Parse(parameters));
        JToken[] answers = await Task.WhenAll(calls.Select(tag => session.CallAsync(method, new { tag })));
        for (int tag = 0; tag < answers.Length; tag++)
        {
            Check((string)answers[tag]["tag"] == tag.ToString(), "another call's answer");
        }
        return "";
    }

    private async Task<string> Cancelled(Session session)
    {
        using (var source = new CancellationTokenSource(200))
        {
            try
            {
                return await session.TextAsync(new Request(method, parameters), source.Token);
            }
            finally
            {
                session.Call("sandbox.echo");
                Check(Platform.InFlight == 0, "the call goes on");
            }
        }
    }

    private string Renewal(Session session)
    {
        var told = new List<Tokens>();
        var phases = new List<RenewalPhase>();
        session.OnToken(tokens => { lock (told) { told.Add(tokens); } });
        session.OnRenewal(phase => { lock (told) { phases.Add(phase); } });
        session.Call("sandbox.echo");
        string answer = session.Text(new Request(method, parameters));
        for (int waited = 0; phases.Count < 2 && waited < 100; waited++)
        {
            Thread.Sleep(10);
        }
        session.OnToken(null);
        session.OnRenewal(null);
        Check(told.Count == 2 && !told[0].Equals(told[1]) && told[1].Equals(session.Tokens()),
            "told " + told.Count + " times");
        Check(phases.SequenceEqual(new[] { RenewalPhase.Before, RenewalPhase.After }), "the phases are wrong");
        return answer;
    }

    private string RequestJson()
    {
        return "{\"method\":\"" + method + "\",\"params\":" + parameters + "}";
    }

    private string Queued(Session session)
    {
        using (var queue = new CallQueue<string>())
        {
            queue.Submit(session, Request.FromJson(RequestJson()), "tag");
            Completion<string> done = queue.Take(TimeSpan.FromSeconds(30));
            Check(done.Tag == "tag", "another tag");
            return done.Text;
        }
    }

    private string QueueCancelled(Session session)
    {
        using (var queue = new CallQueue<string>())
        {
            queue.Submit(session, method, null, "tag");
            Thread.Sleep(200);
            queue.Cancel("tag");
            return queue.Take(TimeSpan.FromSeconds(2)).Text;
        }
    }

    private Request File()
    {
        return Request.Upload(method, new byte[100000], "img_file", "snail.jpg", parameters, "image/jpeg");
    }

    private string Upload(Session session)
    {
        using (var cancel = new Cancel())
        {
            Request file = File();
            file.Cancel = cancel;
            string answer = session.Text(file);
            cancel.Progress(out long sent, out long total);
            Check(sent == total && total > 100000, sent + " of " + total + " bytes");
            return answer;
        }
    }

    private string InTurn(Session session, int calls)
    {
        for (int call = 0; call < calls; call++)
        {
            session.Call(method);
        }
        return "";
    }

    private string Failed(Session session)
    {
        try
        {
            return session.Text(new Request(method));
        }
        catch (ApiException error)
        {
            Check(error.Code == 10 && error.Number == 2 && error.Text != "" && !error.IsTransient, "the members are wrong");
            throw;
        }
    }

    private string Logged(Session session)
    {
        var lines = new List<string>();
        Platform.Log((level, line) => { lock (lines) { lines.Add(line); } }, LogLevel.Debug);
        string answer = session.Text(new Request(method));
        Thread.Sleep(100);
        Platform.Log(null);
        lock (lines)
        {
            string all = string.Join("\n", lines);
            Check(lines.Any(line => line.Contains("event=answer") && line.Contains("method=" + method)), all);
            Check(!all.Contains(SessionKey), "a secret in the log");
        }
        return answer;
    }

    private string LogIn()
    {
        string url = Platform.AuthorizeUrl(AppId, RedirectUri, "case-state");
        Check(url.Contains("state=case-state"), url);
        string given = Platform.ParseRedirect(parameters, "case-state").Code;
        Tokens tokens;
        using (Session session = Session.Code(AppId, given, RedirectUri, PrivateKey, null, Circuit.Client, Options()))
        {
            tokens = session.Authorize();
        }
        return Restarted(tokens);
    }

    private string Restarted(Tokens tokens)
    {
        using (Session session = Session.Stored(AppId, tokens, PrivateKey, null, Options()))
        {
            if (tokens != null)
            {
                session.SetTokens(Tokens.Parse(tokens.ToJson()));
            }
            return session.Text(new Request(method));
        }
    }

    private string Verdict()
    {
        string got = "MAILRU_OK", text = "";
        try
        {
            text = Act().GetAwaiter().GetResult();
        }
        catch (MailruException failure)
        {
            got = failure.Name;
            text = failure.Json;
        }
        catch (OperationCanceledException)
        {
            // The token's own word for it.
            got = "MAILRU_CANCELLED";
        }
        catch (Exception error)
        {
            return "FAIL " + name + " " + error;
        }
        return got == code && text.Contains(contains) ? "ok " + name : "FAIL " + name + " " + got + " " + text;
    }

    private static void Main()
    {
        foreach (string line in System.IO.File.ReadAllLines(Environment.GetEnvironmentVariable("MAILRU_CASES")))
        {
            if (!line.StartsWith("#"))
            {
                Console.WriteLine(new Conformance(line).Verdict());
            }
        }
    }
}
