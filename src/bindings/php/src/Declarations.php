<?php

declare(strict_types=1);

namespace Mailru;

/** The header's declarations; a test of the library's compares them with it. */
final class Declarations
{
    public const C = <<<'C'
        typedef uint64_t mailru_session;
        typedef uint64_t mailru_cancel;
        typedef void (*mailru_token_callback)(void *user_data, const char *tokens_json);
        typedef void (*mailru_release_callback)(void *user_data);
        typedef void (*mailru_renewal_callback)(void *user_data, int32_t phase);
        typedef uint64_t mailru_queue;
        typedef void (*mailru_log_callback)(void *user_data, int32_t level, const char *message);
        mailru_session mailru_public_session_new(const char *options_json, char **error);
        mailru_session mailru_token_session_new(const char *app_id, const char *private_key, const char *secret_key, const char *access_token, const char *uid, const char *options_json, char **error);
        mailru_session mailru_client_session_new(const char *app_id, const char *private_key, const char *access_token, const char *uid, const char *options_json, char **error);
        mailru_session mailru_server_session_new(const char *app_id, const char *secret_key, const char *access_token, const char *options_json, char **error);
        mailru_session mailru_code_session_new(const char *app_id, const char *private_key, const char *secret_key, const char *code, const char *redirect_uri, const char *options_json, char **error);
        mailru_session mailru_code_client_session_new(const char *app_id, const char *private_key, const char *code, const char *redirect_uri, const char *options_json, char **error);
        mailru_session mailru_code_server_session_new(const char *app_id, const char *secret_key, const char *code, const char *redirect_uri, const char *options_json, char **error);
        mailru_session mailru_password_session_new(const char *app_id, const char *private_key, const char *secret_key, const char *email, const char *password, const char *scope, const char *options_json, char **error);
        mailru_session mailru_password_client_session_new(const char *app_id, const char *private_key, const char *email, const char *password, const char *scope, const char *options_json, char **error);
        mailru_session mailru_password_server_session_new(const char *app_id, const char *secret_key, const char *email, const char *password, const char *scope, const char *options_json, char **error);
        mailru_session mailru_refresh_session_new(const char *app_id, const char *private_key, const char *secret_key, const char *refresh_token, const char *options_json, char **error);
        mailru_session mailru_refresh_client_session_new(const char *app_id, const char *private_key, const char *refresh_token, const char *options_json, char **error);
        mailru_session mailru_refresh_server_session_new(const char *app_id, const char *secret_key, const char *refresh_token, const char *options_json, char **error);
        mailru_session mailru_stored_session_new(const char *app_id, const char *private_key, const char *secret_key, const char *tokens_json, const char *options_json, char **error);
        char *mailru_call(mailru_session session, const char *method, const char *params_json, int32_t *code);
        char *mailru_call_within(mailru_session session, const char *method, const char *params_json, int64_t timeout_ms, mailru_cancel cancel, int32_t *code);
        char *mailru_upload(mailru_session session, const char *method, const char *params_json, const char *field, const char *file_name, const uint8_t *data, size_t size, int32_t *code);
        char *mailru_request(mailru_session session, const char *request_json, const uint8_t *data, size_t size, mailru_cancel cancel, int32_t *code);
        char *mailru_public(mailru_session session, const char *path, const char *params_json, int32_t *code);
        char *mailru_sign(mailru_session session, const char *method, const char *params_json, int32_t *code);
        int32_t mailru_session_cancel(mailru_session session);
        void mailru_session_free(mailru_session session);
        int64_t mailru_error_number(const char *error_json);
        int32_t mailru_error_transient(const char *error_json);
        char *mailru_error_message(const char *error_json, int32_t *code);
        char *mailru_errors(int32_t *code);
        mailru_cancel mailru_cancel_new(void);
        int32_t mailru_cancel_fire(mailru_cancel cancel);
        int32_t mailru_cancel_progress(mailru_cancel cancel, uint64_t *sent, uint64_t *total);
        void mailru_cancel_free(mailru_cancel cancel);
        char *mailru_authorize(mailru_session session, int32_t *code);
        char *mailru_tokens(mailru_session session, int32_t *code);
        int32_t mailru_session_hold(mailru_session session, int32_t hold);
        int32_t mailru_session_set_tokens(mailru_session session, const char *tokens_json, char **error);
        int32_t mailru_session_on_token(mailru_session session, mailru_token_callback callback, void *user_data, mailru_release_callback release);
        int32_t mailru_session_on_renewal(mailru_session session, mailru_renewal_callback callback, void *user_data, mailru_release_callback release);
        mailru_queue mailru_queue_new(uint32_t workers, uint32_t capacity, char **error);
        int32_t mailru_queue_submit(mailru_queue queue, mailru_session session, const char *method, const char *params_json, uint64_t tag, char **error);
        int32_t mailru_queue_request(mailru_queue queue, mailru_session session, const char *request_json, const uint8_t *data, size_t size, mailru_cancel cancel, uint64_t tag, char **error);
        char *mailru_queue_next(mailru_queue queue, int32_t timeout_ms, uint64_t *tag, int32_t *code);
        int32_t mailru_queue_cancel(mailru_queue queue, uint64_t tag);
        int32_t mailru_queue_fd(mailru_queue queue);
        void mailru_queue_free(mailru_queue queue);
        char *mailru_stats(mailru_session session, int32_t *code);
        void mailru_string_free(char *json);
        const char *mailru_version(void);
        uint32_t mailru_abi_version(void);
        const char *mailru_code_name(int32_t code);
        char *mailru_methods(int32_t *code);
        char *mailru_authorize_url(const char *app_id, const char *redirect_uri, const char *response_type, const char *scope, const char *state, int32_t *code);
        char *mailru_authorize_url_at(const char *address, const char *app_id, const char *redirect_uri, const char *response_type, const char *scope, const char *state, int32_t *code);
        char *mailru_parse_redirect(const char *url, const char *expected_state, int32_t *code);
        char *mailru_verify(const char *secret_key, const char *params_json, int32_t *code);
        char *mailru_verify_launch(const char *secret_key, const char *params_json, int32_t *code);
        char *mailru_verify_query(const char *kind, const char *secret_key, const char *query, int32_t *code);
        int32_t mailru_set_log(mailru_log_callback callback, void *user_data, mailru_release_callback release, int32_t level);
        C;
}
