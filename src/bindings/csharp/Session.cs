using System;
using System.Runtime.ExceptionServices;
using System.Threading;
using System.Threading.Tasks;
using Newtonsoft.Json.Linq;

namespace Mailru
{
    /// <summary>How a session signs: as the application's program at its user's, or as its server.</summary>
    public enum Circuit
    {
        /// <summary>As its keys and uid allow.</summary>
        Inferred,
        Client,
        Server
    }

    /// <summary>
    /// A session of the platform:
    /// <code>
    /// using (Session session = Session.Client(appId, privateKey, accessToken, uid))
    /// {
    ///     JToken friends = await session.CallAsync("friends.get", new { ext = 1 });
    /// }
    /// </code>
    /// It serves many threads at once. Answers keep every digit: read ids as strings. Failures are MailruException and its
    /// classes; a CancellationToken ends its call alone.
    /// </summary>
    public sealed partial class Session : IDisposable
    {
        private readonly NumberHandle handle;
        private volatile Action<Tokens> tokenListener;
        private volatile Action<RenewalPhase> renewalListener;

        private Session(ulong number, IntPtr error)
        {
            handle = new NumberHandle(Native.Made(number, error),
                freed => Native.Function<C.mailru_session_free>.Call(freed));
        }

        /// <summary>The library's number for it, as its log lines have it.</summary>
        public ulong Number
        {
            get { return handle.Number; }
        }

        public JToken Call(string method, object parameters = null, TimeSpan? timeout = null)
        {
            return Call(new Request(method, parameters) { Timeout = timeout });
        }

        /// <summary>Performs a request and waits for its answer.</summary>
        public JToken Call(Request request)
        {
            return Json.Parse(Text(request));
        }

        public Task<JToken> CallAsync(string method, object parameters = null,
            CancellationToken cancellation = default(CancellationToken))
        {
            return CallAsync(new Request(method, parameters), cancellation);
        }

        /// <summary>Performs a request without a thread of the caller's.</summary>
        public async Task<JToken> CallAsync(Request request, CancellationToken cancellation = default(CancellationToken))
        {
            return Json.Parse(await TextAsync(request, cancellation).ConfigureAwait(false));
        }

        /// <summary>Performs a request; the platform's own text.</summary>
        public string Text(Request request)
        {
            Calls.Call call = Calls.Submit(this, request, CancellationToken.None);
            bool over = false;
            try
            {
                call.Source.Task.Wait();
                over = true;
                return call.Source.Task.Result;
            }
            catch (AggregateException failure)
            {
                over = true;
                ExceptionDispatchInfo.Capture(failure.InnerException).Throw();
                throw;
            }
            finally
            {
                // Interrupted, say: then nobody waits for it any more.
                if (!over)
                {
                    call.End();
                }
                GC.KeepAlive(this);
            }
        }

        /// <summary>The same without a thread of the caller's.</summary>
        public Task<string> TextAsync(Request request, CancellationToken cancellation = default(CancellationToken))
        {
            if (cancellation.IsCancellationRequested)
            {
                return Task.FromCanceled<string>(cancellation);
            }
            return Calls.Submit(this, request, cancellation).Source.Task;
        }

        /// <summary>Gets the tokens, or renews them; calls do this by themselves.</summary>
        public Tokens Authorize()
        {
            return Mailru.Tokens.Parse(Text(Request.Authorize()));
        }

        public async Task<Tokens> AuthorizeAsync(CancellationToken cancellation = default(CancellationToken))
        {
            return Mailru.Tokens.Parse(await TextAsync(Request.Authorize(), cancellation).ConfigureAwait(false));
        }

        /// <summary>A call as it would be sent, without sending it.</summary>
        public JObject Sign(string method, object parameters = null)
        {
            return (JObject)Json.Parse(SignText(method, parameters));
        }

        /// <summary>The same as the library's own text.</summary>
        public string SignText(string method, object parameters = null)
        {
            IntPtr answer = Native.Function<C.mailru_sign>.Call(Number, Native.Utf8("method", method),
                Native.Utf8("params_json", Json.Object("params_json", parameters)), out int code);
            GC.KeepAlive(this);
            return Native.Answer(answer, code);
        }

        /// <summary>The present tokens.</summary>
        public Tokens Tokens()
        {
            IntPtr answer = Native.Function<C.mailru_tokens>.Call(Number, out int code);
            GC.KeepAlive(this);
            return Mailru.Tokens.Parse(Native.Answer(answer, code));
        }

        /// <summary>What the session has done: counters and latencies, see the header at mailru_stats.</summary>
        public JObject Stats()
        {
            IntPtr answer = Native.Function<C.mailru_stats>.Call(Number, out int code);
            GC.KeepAlive(this);
            return (JObject)Json.Parse(Native.Answer(answer, code));
        }

        /// <summary>Goes on with newer tokens.</summary>
        public void SetTokens(Tokens tokens)
        {
            int code = Native.Function<C.mailru_session_set_tokens>.Call(Number,
                Native.Utf8("tokens_json", tokens.ToJson()), out IntPtr error);
            GC.KeepAlive(this);
            Native.Made(code, error);
        }

        /// <summary>Has a listener told of every new set of tokens before any of them is used: the place to store them; null
        /// removes it. It runs on a thread of the library's; a call of the session inside it throws
        /// ReenteredException.</summary>
        public void OnToken(Action<Tokens> listener)
        {
            tokenListener = listener;
            int code = listener == null
                ? Native.Function<C.mailru_session_on_token>.Call(Number, null, IntPtr.Zero, null)
                : Native.Function<C.mailru_session_on_token>.Call(Number, Listeners.Told, Listeners.Register(this),
                    Listeners.Released);
            GC.KeepAlive(this);
            Native.Done(code, "session");
        }

        /// <summary>Has a listener told of renewals, before and after their requests; null removes it.</summary>
        public void OnRenewal(Action<RenewalPhase> listener)
        {
            renewalListener = listener;
            int code = listener == null
                ? Native.Function<C.mailru_session_on_renewal>.Call(Number, null, IntPtr.Zero, null)
                : Native.Function<C.mailru_session_on_renewal>.Call(Number, Listeners.Renewing, Listeners.Register(this),
                    Listeners.Released);
            GC.KeepAlive(this);
            Native.Done(code, "session");
        }

        /// <summary>Inside a listener: it counts as running until Proceed, also after it has returned, so that it may store
        /// the tokens asynchronously.</summary>
        public void Hold()
        {
            Native.Done(Native.Function<C.mailru_session_hold>.Call(Number, 1), "hold, which belongs into a listener");
            GC.KeepAlive(this);
        }

        /// <summary>Ends what Hold began.</summary>
        public void Proceed()
        {
            Native.Done(Native.Function<C.mailru_session_hold>.Call(Number, 0), "session");
            GC.KeepAlive(this);
        }

        /// <summary>Ends the calls under way, as cancelled; later ones work.</summary>
        public void CancelCalls()
        {
            Native.Done(Native.Function<C.mailru_session_cancel>.Call(Number), "session");
            GC.KeepAlive(this);
        }

        /// <summary>Ends the session and its calls.</summary>
        public void Dispose()
        {
            Listeners.Disposing(this);
            handle.Dispose();
        }

        internal void ToldTokens(Tokens tokens)
        {
            tokenListener?.Invoke(tokens);
        }

        internal void ToldRenewal(RenewalPhase phase)
        {
            renewalListener?.Invoke(phase);
        }
    }
}
