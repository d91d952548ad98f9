using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace Mailru
{
    /// <summary>
    /// All calls of the process: a queue of the library's, and the one thread that takes its completions. Both are there
    /// only while there are calls, and the thread never stays long in C: Mono could not end a program meanwhile.
    /// </summary>
    internal static class Calls
    {
        private const int QueueEmpty = 31;
        private const int Cancelled = 23;
        private const uint InFlight = 4096;
        private const int SliceMs = 100;
        private const int IdleSlices = 10;

        /// <summary>Who waits for a call.</summary>
        internal sealed class Call
        {
            internal ulong Queue;
            internal ulong Tag;
            /// <summary>Held until the call is over, so that no finalizer frees it meanwhile.</summary>
            internal Session Session;
            internal CancellationToken Token;
            internal CancellationTokenRegistration Registration;
            // Continuations elsewhere: the thread that takes completions has others to take.
            internal readonly TaskCompletionSource<string> Source =
                new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);

            internal void End()
            {
                Native.Function<C.mailru_queue_cancel>.Call(Queue, Tag);
            }

            internal void Over(int code, string json)
            {
                Registration.Dispose();
                if (code == 0)
                {
                    Source.TrySetResult(json);
                }
                else if (code == Cancelled && Token.IsCancellationRequested)
                {
                    Source.TrySetCanceled(Token);
                }
                else
                {
                    Source.TrySetException(MailruException.Of(code, json));
                }
                GC.KeepAlive(Session);
            }
        }

        // Also the lock for all that is here.
        private static readonly Dictionary<ulong, Call> Waiting = new Dictionary<ulong, Call>();
        private static ulong queue;
        private static ulong tags;

        static Calls()
        {
            AppDomain.CurrentDomain.ProcessExit += (sender, arguments) =>
            {
                // First the log: a thread of the library's that tells a line now would wait for the runtime for ever.
                Native.Function<C.mailru_set_log>.Call(null, IntPtr.Zero, null, 0);
                Native.Function<C.mailru_queue_free>.Call(queue);
            };
        }

        internal static int Count
        {
            get
            {
                lock (Waiting)
                {
                    return Waiting.Count;
                }
            }
        }

        internal static Call Submit(Session session, Request request, CancellationToken token)
        {
            token.ThrowIfCancellationRequested();
            byte[] json = request.ToJson();
            var call = new Call { Session = session, Token = token };
            lock (Waiting)
            {
                if (queue == 0)
                {
                    ulong made = Native.Function<C.mailru_queue_new>.Call(InFlight, uint.MaxValue, out IntPtr refused);
                    queue = Native.Made(made, refused);
                    new Thread(Take) { IsBackground = true, Name = "mailru completions" }.Start(queue);
                }
                call.Queue = queue;
                call.Tag = ++tags;
                Waiting[call.Tag] = call;
            }
            try
            {
                int code = Native.Function<C.mailru_queue_request>.Call(call.Queue, session.Number, json, request.Data,
                    (UIntPtr)(request.Data == null ? 0 : request.Data.Length), request.CancelNumber, call.Tag,
                    out IntPtr error);
                Native.Made(code, error);
            }
            catch
            {
                lock (Waiting)
                {
                    Waiting.Remove(call.Tag);
                }
                throw;
            }
            call.Registration = token.Register(call.End);
            return call;
        }

        private static void Take(object own)
        {
            for (int idle = 0; idle < IdleSlices || !Stop((ulong)own);)
            {
                Call call = null;
                try
                {
                    IntPtr answer = Native.Function<C.mailru_queue_next>.Call((ulong)own, SliceMs, out ulong tag, out int code);
                    string json = Native.Taken(answer);
                    if (code == QueueEmpty)
                    {
                        idle++;
                        continue;
                    }
                    idle = 0;
                    lock (Waiting)
                    {
                        if (Waiting.TryGetValue(tag, out call))
                        {
                            Waiting.Remove(tag);
                        }
                    }
                    if (call == null)
                    {
                        // The queue was freed: the process ends.
                        return;
                    }
                    call.Over(code, json);
                }
                catch (Exception error)
                {
                    // Memory, say: this call fails, the others go on.
                    call?.Source.TrySetException(error);
                }
            }
        }

        /// <summary>Frees the queue if there is nothing to do.</summary>
        private static bool Stop(ulong own)
        {
            lock (Waiting)
            {
                if (Waiting.Count > 0)
                {
                    return false;
                }
                Native.Function<C.mailru_queue_free>.Call(own);
                queue = 0;
                return true;
            }
        }
    }
}
