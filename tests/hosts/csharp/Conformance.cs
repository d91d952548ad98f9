using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Mailru;

/// <summary>The cases of cases.tsv in C#.</summary>
internal sealed class Conformance
{
    private const string AppId = "423004";
    private const string PrivateKey = "7815696ecbf1c96e6894b779456d330e";
    private const string SecretKey = "3dad9cbf9baaa0360c0f2ba372d25716";
    private const string SessionKey = "be6ef89965d58e56dec21acb9b62bdaa";

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

    private Session NewSession()
    {
        switch (circuit)
        {
            case "client": return Session.Client(AppId, PrivateKey, SessionKey, "1324730981306483817", options);
            case "server": return Session.Server(AppId, SecretKey, SessionKey, options);
            default: return Session.PasswordClient(AppId, PrivateKey, "demo@mail.ru", "demo", null, options);
        }
    }

    private async Task<string> Act()
    {
        using (Session session = NewSession())
        {
            switch (action)
            {
                case "call": return session.Call(method, parameters);
                case "sign": return session.Sign(method, parameters);
                case "together": return Together(session);
                case "crowd": return await Crowd(session);
                case "deadline": return session.Call(method, parameters, TimeSpan.FromMilliseconds(300));
                case "cancel": return await Cancelled(session);
                case "stale":
                    session.Dispose();
                    return session.Call(method, parameters);
                case "renewal": return Renewal(session);
                default: throw new InvalidOperationException("unknown action");
            }
        }
    }

    private string Together(Session session)
    {
        var answers = new string[int.Parse(parameters)];
        var threads = answers.Select((_, tag) =>
            new Thread(() => answers[tag] = session.Call(method, "{\"tag\":" + tag + "}"))).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        for (int tag = 0; tag < answers.Length; tag++)
        {
            Check(answers[tag].Contains("\"tag\":\"" + tag + "\""), "another call's answer");
        }
        return "";
    }

    private async Task<string> Crowd(Session session)
    {
        var calls = Enumerable.Range(0, int.Parse(parameters));
        string[] answers = await Task.WhenAll(calls.Select(tag => session.CallAsync(method, "{\"tag\":" + tag + "}")));
        for (int tag = 0; tag < answers.Length; tag++)
        {
            Check(answers[tag].Contains("\"tag\":\"" + tag + "\""), "another call's answer");
        }
        return "";
    }

    private async Task<string> Cancelled(Session session)
    {
        using (var source = new CancellationTokenSource(200))
        {
            try
            {
                return await session.CallAsync(method, parameters, source.Token);
            }
            finally
            {
                session.Call("sandbox.echo");
            }
        }
    }

    private string Renewal(Session session)
    {
        var told = new List<string>();
        session.OnToken(tokens => { lock (told) { told.Add(tokens); } });
        session.Call("sandbox.echo");
        string answer = session.Call(method, parameters);
        session.OnToken(null);
        Check(told.Count == 2 && told[0] != told[1] && told[1] == session.Tokens(), "told " + told.Count + " times");
        return answer;
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
            got = failure.Code;
            text = failure.Json;
        }
        catch (OperationCanceledException)
        {
            // The token's own word for it.
            got = "MAILRU_CANCELLED";
        }
        catch (Exception error)
        {
            return "FAIL " + name + " " + error.Message;
        }
        return got == code && text.Contains(contains) ? "ok " + name : "FAIL " + name + " " + got + " " + text;
    }

    private static void Main()
    {
        foreach (string line in File.ReadAllLines(Environment.GetEnvironmentVariable("MAILRU_CASES")))
        {
            if (!line.StartsWith("#"))
            {
                Console.WriteLine(new Conformance(line).Verdict());
            }
        }
    }
}
