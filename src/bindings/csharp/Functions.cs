using System;
using System.Runtime.InteropServices;

namespace Mailru
{
    /// <summary>
    /// The C functions as the header declares them, each a delegate's type of its name: Native.Function&lt;…&gt;.Call
    /// calls it. Texts go as UTF-8 with their NUL, which not every runtime would make of a string.
    /// </summary>
    internal static class C
    {
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void Told(IntPtr userData, IntPtr tokens);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void Renewing(IntPtr userData, int phase);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void Logged(IntPtr userData, int level, IntPtr line);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void Released(IntPtr userData);

        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate ulong mailru_public_session_new(byte[] optionsJson, out IntPtr error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate ulong mailru_token_session_new(byte[] appId, byte[] privateKey, byte[] secretKey,
            byte[] accessToken, byte[] uid, byte[] optionsJson, out IntPtr error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate ulong mailru_client_session_new(byte[] appId, byte[] privateKey, byte[] accessToken,
            byte[] uid, byte[] optionsJson, out IntPtr error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate ulong mailru_server_session_new(byte[] appId, byte[] secretKey, byte[] accessToken,
            byte[] optionsJson, out IntPtr error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate ulong mailru_code_session_new(byte[] appId, byte[] privateKey, byte[] secretKey,
            byte[] code, byte[] redirectUri, byte[] optionsJson, out IntPtr error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate ulong mailru_code_client_session_new(byte[] appId, byte[] privateKey, byte[] code,
            byte[] redirectUri, byte[] optionsJson, out IntPtr error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate ulong mailru_code_server_session_new(byte[] appId, byte[] secretKey, byte[] code,
            byte[] redirectUri, byte[] optionsJson, out IntPtr error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate ulong mailru_password_session_new(byte[] appId, byte[] privateKey, byte[] secretKey,
            byte[] email, byte[] password, byte[] scope, byte[] optionsJson, out IntPtr error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate ulong mailru_password_client_session_new(byte[] appId, byte[] privateKey, byte[] email,
            byte[] password, byte[] scope, byte[] optionsJson, out IntPtr error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate ulong mailru_password_server_session_new(byte[] appId, byte[] secretKey, byte[] email,
            byte[] password, byte[] scope, byte[] optionsJson, out IntPtr error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate ulong mailru_refresh_session_new(byte[] appId, byte[] privateKey, byte[] secretKey,
            byte[] refreshToken, byte[] optionsJson, out IntPtr error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate ulong mailru_refresh_client_session_new(byte[] appId, byte[] privateKey,
            byte[] refreshToken, byte[] optionsJson, out IntPtr error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate ulong mailru_refresh_server_session_new(byte[] appId, byte[] secretKey, byte[] refreshToken,
            byte[] optionsJson, out IntPtr error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate ulong mailru_stored_session_new(byte[] appId, byte[] privateKey, byte[] secretKey,
            byte[] tokensJson, byte[] optionsJson, out IntPtr error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_call(ulong session, byte[] method, byte[] paramsJson, out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_call_within(ulong session, byte[] method, byte[] paramsJson, long timeoutMs,
            ulong cancel, out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_upload(ulong session, byte[] method, byte[] paramsJson, byte[] field,
            byte[] fileName, byte[] data, UIntPtr size, out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_request(ulong session, byte[] requestJson, byte[] data, UIntPtr size,
            ulong cancel, out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_public(ulong session, byte[] path, byte[] paramsJson, out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_sign(ulong session, byte[] method, byte[] paramsJson, out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int mailru_session_cancel(ulong session);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void mailru_session_free(ulong session);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long mailru_error_number(byte[] errorJson);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int mailru_error_transient(byte[] errorJson);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_error_message(byte[] errorJson, out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_errors(out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate ulong mailru_cancel_new();
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int mailru_cancel_fire(ulong cancel);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int mailru_cancel_progress(ulong cancel, out ulong sent, out ulong total);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void mailru_cancel_free(ulong cancel);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_authorize(ulong session, out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_tokens(ulong session, out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int mailru_session_set_tokens(ulong session, byte[] tokensJson, out IntPtr error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int mailru_session_on_token(ulong session, Told callback, IntPtr userData, Released release);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int mailru_session_on_renewal(ulong session, Renewing callback, IntPtr userData,
            Released release);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int mailru_session_hold(ulong session, int hold);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate ulong mailru_queue_new(uint workers, uint capacity, out IntPtr error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int mailru_queue_submit(ulong queue, ulong session, byte[] method, byte[] paramsJson,
            ulong tag, out IntPtr error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int mailru_queue_request(ulong queue, ulong session, byte[] requestJson, byte[] data,
            UIntPtr size, ulong cancel, ulong tag, out IntPtr error);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_queue_next(ulong queue, int timeoutMs, out ulong tag, out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int mailru_queue_cancel(ulong queue, ulong tag);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int mailru_queue_fd(ulong queue);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void mailru_queue_free(ulong queue);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_stats(ulong session, out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void mailru_string_free(IntPtr json);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_version();
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate uint mailru_abi_version();
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_code_name(int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_methods(out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_authorize_url(byte[] appId, byte[] redirectUri, byte[] responseType,
            byte[] scope, byte[] state, out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_authorize_url_at(byte[] address, byte[] appId, byte[] redirectUri,
            byte[] responseType, byte[] scope, byte[] state, out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_parse_redirect(byte[] url, byte[] expectedState, out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_verify(byte[] secretKey, byte[] paramsJson, out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_verify_launch(byte[] secretKey, byte[] paramsJson, out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr mailru_verify_query(byte[] kind, byte[] secretKey, byte[] query, out int code);
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int mailru_set_log(Logged callback, IntPtr userData, Released release, int level);
    }
}
