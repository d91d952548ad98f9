using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;

namespace Mailru
{
    /// <summary>The C functions. Texts go as UTF-8 with their NUL, which not every runtime would make of a string.</summary>
    internal static class Native
    {
        private const string Library = "mailru";

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void Told(IntPtr userData, IntPtr tokens);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void Released(IntPtr userData);

        [DllImport(Library)]
        internal static extern ulong mailru_client_session_new(byte[] appId, byte[] privateKey, byte[] accessToken,
            byte[] uid, byte[] options, out IntPtr error);
        [DllImport(Library)]
        internal static extern ulong mailru_server_session_new(byte[] appId, byte[] secretKey, byte[] accessToken,
            byte[] options, out IntPtr error);
        [DllImport(Library)]
        internal static extern ulong mailru_password_client_session_new(byte[] appId, byte[] privateKey, byte[] email,
            byte[] password, byte[] scope, byte[] options, out IntPtr error);
        [DllImport(Library)]
        internal static extern void mailru_session_free(ulong session);
        [DllImport(Library)]
        internal static extern int mailru_session_on_token(ulong session, Told told, IntPtr userData, Released released);
        [DllImport(Library)]
        internal static extern IntPtr mailru_call_within(ulong session, byte[] method, byte[] parameters,
            long timeoutMs, ulong cancel, out int code);
        [DllImport(Library)]
        internal static extern IntPtr mailru_sign(ulong session, byte[] method, byte[] parameters, out int code);
        [DllImport(Library)]
        internal static extern IntPtr mailru_tokens(ulong session, out int code);
        [DllImport(Library)]
        internal static extern ulong mailru_queue_new(uint workers, uint capacity, out IntPtr error);
        [DllImport(Library)]
        internal static extern int mailru_queue_submit(ulong queue, ulong session, byte[] method, byte[] parameters,
            ulong tag, out IntPtr error);
        [DllImport(Library)]
        internal static extern IntPtr mailru_queue_next(ulong queue, int timeoutMs, out ulong tag, out int code);
        [DllImport(Library)]
        internal static extern int mailru_queue_cancel(ulong queue, ulong tag);
        [DllImport(Library)]
        internal static extern void mailru_string_free(IntPtr json);
        [DllImport(Library)]
        internal static extern IntPtr mailru_code_name(int code);

        internal static byte[] Utf8(string text)
        {
            return text == null ? null : Encoding.UTF8.GetBytes(text + '\0');
        }

        internal static string Text(IntPtr pointer)
        {
            int length = 0;
            while (Marshal.ReadByte(pointer, length) != 0)
            {
                length++;
            }
            var bytes = new byte[length];
            Marshal.Copy(pointer, bytes, 0, length);
            return Encoding.UTF8.GetString(bytes);
        }

        internal static string Taken(IntPtr json)
        {
            try
            {
                return Text(json);
            }
            finally
            {
                mailru_string_free(json);
            }
        }

        /// <summary>What a function answered that gives JSON and a code.</summary>
        internal static string Answer(IntPtr answer, int code)
        {
            string json = Taken(answer);
            return code == 0 ? json : throw new MailruException(code, json);
        }

        /// <summary>What a function answered that gives an error object beside a handle or a code.</summary>
        internal static T Made<T>(T outcome, IntPtr error)
        {
            if (error == IntPtr.Zero)
            {
                return outcome;
            }
            string json = Taken(error);
            // Its number is minus the code.
            int number = int.Parse(Regex.Match(json, "\"error_code\":(-?\\d+)").Groups[1].Value);
            throw new MailruException(-number, json);
        }
    }

    /// <summary>A failure: its code's name and the error's JSON.</summary>
    public sealed class MailruException : Exception
    {
        public string Code { get; }
        public string Json { get; }

        internal MailruException(int code, string json)
            : base(Native.Text(Native.mailru_code_name(code)) + ": " + json)
        {
            Code = Native.Text(Native.mailru_code_name(code));
            Json = json;
        }
    }

    /// <summary>
    /// A session of libmailru. Options and parameters are JSON, or null. It serves many threads at once; CallAsync
    /// needs none of the caller's, and its token ends that call alone.
    /// </summary>
    public sealed class Session : IDisposable
    {
        // What the library may still call, by the number that it was given for it; and the delegates, which must
        // not be collected.
        private static readonly ConcurrentDictionary<long, Action<string>> Listeners =
            new ConcurrentDictionary<long, Action<string>>();
        private static readonly Native.Told Told = (number, tokens) => Listeners[(long)number](Native.Text(tokens));
        private static readonly Native.Released Released = number => Listeners.TryRemove((long)number, out _);
        private static long numbers;

        private readonly ulong number;

        private Session(ulong number)
        {
            this.number = number;
        }

        ~Session()
        {
            Native.mailru_session_free(number);
        }

        public static Session Client(string appId, string privateKey, string accessToken, string uid,
            string options = null)
        {
            ulong made = Native.mailru_client_session_new(Native.Utf8(appId), Native.Utf8(privateKey),
                Native.Utf8(accessToken), Native.Utf8(uid), Native.Utf8(options), out IntPtr error);
            return new Session(Native.Made(made, error));
        }

        public static Session Server(string appId, string secretKey, string accessToken, string options = null)
        {
            ulong made = Native.mailru_server_session_new(Native.Utf8(appId), Native.Utf8(secretKey),
                Native.Utf8(accessToken), Native.Utf8(options), out IntPtr error);
            return new Session(Native.Made(made, error));
        }

        public static Session PasswordClient(string appId, string privateKey, string email, string password,
            string scope = null, string options = null)
        {
            ulong made = Native.mailru_password_client_session_new(Native.Utf8(appId), Native.Utf8(privateKey),
                Native.Utf8(email), Native.Utf8(password), Native.Utf8(scope), Native.Utf8(options), out IntPtr error);
            return new Session(Native.Made(made, error));
        }

        public void Dispose()
        {
            Native.mailru_session_free(number);
            GC.SuppressFinalize(this);
        }

        /// <summary>Calls a method; a limit of zero is the session's.</summary>
        public string Call(string method, string parameters = null, TimeSpan limit = default(TimeSpan))
        {
            IntPtr answer = Native.mailru_call_within(number, Native.Utf8(method), Native.Utf8(parameters),
                (long)limit.TotalMilliseconds, 0, out int code);
            GC.KeepAlive(this);
            return Native.Answer(answer, code);
        }

        public Task<string> CallAsync(string method, string parameters = null,
            CancellationToken cancellation = default(CancellationToken))
        {
            return Calls.Submit(number, method, parameters, cancellation);
        }

        public string Sign(string method, string parameters = null)
        {
            IntPtr answer = Native.mailru_sign(number, Native.Utf8(method), Native.Utf8(parameters), out int code);
            GC.KeepAlive(this);
            return Native.Answer(answer, code);
        }

        public string Tokens()
        {
            IntPtr answer = Native.mailru_tokens(number, out int code);
            GC.KeepAlive(this);
            return Native.Answer(answer, code);
        }

        /// <summary>Has a listener told of every new set of tokens, before any of them is used; null removes it.</summary>
        public void OnToken(Action<string> listener)
        {
            int code;
            if (listener == null)
            {
                code = Native.mailru_session_on_token(number, null, IntPtr.Zero, null);
            }
            else
            {
                long key = Interlocked.Increment(ref numbers);
                Listeners[key] = listener;
                code = Native.mailru_session_on_token(number, Told, (IntPtr)key, Released);
            }
            if (code != 0)
            {
                throw new MailruException(code, "{}");
            }
        }
    }

    /// <summary>
    /// The queue of all asynchronous calls, and the one thread that takes its completions. It is there only while
    /// there are calls: Mono could not end a program while a thread waits in C.
    /// </summary>
    internal static class Calls
    {
        // Also the lock for all that is here.
        private static readonly Dictionary<ulong, TaskCompletionSource<string>> Waiting =
            new Dictionary<ulong, TaskCompletionSource<string>>();
        private static readonly ulong Queue = NewQueue();
        private static ulong tags;
        private static bool taking;

        private static ulong NewQueue()
        {
            return Native.Made(Native.mailru_queue_new(256, uint.MaxValue, out IntPtr error), error);
        }

        internal static async Task<string> Submit(ulong session, string method, string parameters,
            CancellationToken cancellation)
        {
            cancellation.ThrowIfCancellationRequested();
            // Continuations elsewhere: the thread that takes completions has others to take.
            var source = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            ulong tag;
            lock (Waiting)
            {
                tag = ++tags;
                int code = Native.mailru_queue_submit(Queue, session, Native.Utf8(method), Native.Utf8(parameters), tag,
                    out IntPtr error);
                Native.Made(code, error);
                Waiting[tag] = source;
                if (!taking)
                {
                    taking = true;
                    new Thread(Take) { IsBackground = true, Name = "mailru completions" }.Start();
                }
            }
            using (cancellation.Register(() => Native.mailru_queue_cancel(Queue, tag)))
            {
                try
                {
                    return await source.Task.ConfigureAwait(false);
                }
                catch (MailruException failure) when (failure.Code == "MAILRU_CANCELLED")
                {
                    cancellation.ThrowIfCancellationRequested();
                    throw;
                }
            }
        }

        private static void Take()
        {
            for (bool more = true; more;)
            {
                IntPtr answer = Native.mailru_queue_next(Queue, -1, out ulong tag, out int code);
                TaskCompletionSource<string> source;
                lock (Waiting)
                {
                    source = Waiting[tag];
                    Waiting.Remove(tag);
                    more = taking = Waiting.Count > 0;
                }
                try
                {
                    source.SetResult(Native.Answer(answer, code));
                }
                catch (MailruException failure)
                {
                    source.SetException(failure);
                }
            }
        }
    }
}
