//! The proxy-wasm ABI 0.2.1 and the one WASI call that we make ourselves, as the hosts export them.
//!
//! Nothing but declarations: [`super::call`] is the only caller. Every status is an `i32`; turning an
//! unlisted one into an enum would be undefined behaviour, so it stays a number until it is matched.

unsafe extern "C" {
    pub fn proxy_log(level: u32, message: *const u8, message_len: usize) -> i32;
    pub fn proxy_set_tick_period_milliseconds(period: u32) -> i32;
    pub fn proxy_get_buffer_bytes(
        kind: u32,
        start: usize,
        max_len: usize,
        value: *mut *mut u8,
        value_len: *mut usize,
    ) -> i32;
    pub fn proxy_get_header_map_pairs(map: u32, value: *mut *mut u8, value_len: *mut usize) -> i32;
    pub fn proxy_get_header_map_value(
        map: u32,
        name: *const u8,
        name_len: usize,
        value: *mut *mut u8,
        value_len: *mut usize,
    ) -> i32;
    pub fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_len: usize,
        value: *const u8,
        value_len: usize,
    ) -> i32;
    pub fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_len: usize,
        value: *const u8,
        value_len: usize,
    ) -> i32;
    pub fn proxy_get_property(
        path: *const u8,
        path_len: usize,
        value: *mut *mut u8,
        value_len: *mut usize,
    ) -> i32;
    pub fn proxy_set_property(
        path: *const u8,
        path_len: usize,
        value: *const u8,
        value_len: usize,
    ) -> i32;
    pub fn proxy_get_shared_data(
        key: *const u8,
        key_len: usize,
        value: *mut *mut u8,
        value_len: *mut usize,
        cas: *mut u32,
    ) -> i32;
    pub fn proxy_set_shared_data(
        key: *const u8,
        key_len: usize,
        value: *const u8,
        value_len: usize,
        cas: u32,
    ) -> i32;
    pub fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_len: usize,
        body: *const u8,
        body_len: usize,
        headers: *const u8,
        headers_len: usize,
        grpc_status: i32,
    ) -> i32;
    pub fn proxy_http_call(
        upstream: *const u8,
        upstream_len: usize,
        headers: *const u8,
        headers_len: usize,
        body: *const u8,
        body_len: usize,
        trailers: *const u8,
        trailers_len: usize,
        timeout_ms: u32,
        token: *mut u32,
    ) -> i32;
    pub fn proxy_set_effective_context(context: u32) -> i32;
    pub fn proxy_continue_stream(stream: u32) -> i32;
    pub fn proxy_register_shared_queue(name: *const u8, name_len: usize, queue: *mut u32) -> i32;
    pub fn proxy_enqueue_shared_queue(queue: u32, value: *const u8, value_len: usize) -> i32;
    pub fn proxy_dequeue_shared_queue(
        queue: u32,
        value: *mut *mut u8,
        value_len: *mut usize,
    ) -> i32;
    pub fn proxy_define_metric(kind: u32, name: *const u8, name_len: usize, id: *mut u32) -> i32;
    pub fn proxy_increment_metric(id: u32, offset: i64) -> i32;
    pub fn proxy_record_metric(id: u32, value: u64) -> i32;
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    pub fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> i32;
}
