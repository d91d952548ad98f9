//! Micro-benchmarks of what a call does besides the network: `cargo bench --bench micro`.
// The C functions are unsafe to call.
#![allow(unsafe_code)]

use std::borrow::Cow;
use std::hint::black_box;
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mailru::ffi::{mailru_queue_fd, mailru_queue_free, mailru_queue_new};
use mailru::http::answer::{Answer, BodyKind};
use mailru::params::{self, Parameters};
use mailru::secret::Secret;
use mailru::signature::{Circuit, Signer};

/// Six parameters, as a program hands them over.
const PARAMS: &str = r#"{"uid":"15410773191172635989","ext":1,"offset":40,"limit":20,
    "fields":"nick,birthday,pic_50","query":"Евгений Маслов & Ко"}"#;

/// The threads that use the handle table at once.
const THREADS: u64 = 8;

/// What a call signs: its six parameters and those that each call has.
fn call<'a>(parameters: &'a Parameters<'_>) -> Parameters<'a> {
    let own = [("method", "friends.get"), ("app_id", "423004"), ("session_key", "be6ef89965d58e56dec21acb9b62bdaa")];
    let mut all = Parameters::with_capacity(parameters.len() + own.len() + 1);
    all.extend(parameters.iter().map(|(name, value)| (Cow::Borrowed(name.as_ref()), Cow::Borrowed(value.as_ref()))));
    all.extend(own.map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value))));
    all
}

fn signing(criterion: &mut Criterion) {
    let parameters = params::call_parameters(Some(PARAMS)).expect("valid parameters");
    let key = Secret::new("7815696ecbf1c96e6894b779456d330e");
    let signer = Signer { circuit: Circuit::ClientServer, uid: "1324730981306483817", key: &key };
    criterion.bench_function("sign_6_parameters", |bench| {
        bench.iter(|| {
            let mut all = call(black_box(&parameters));
            signer.sign(&mut all);
            all
        });
    });
}

fn parsing(criterion: &mut Criterion) {
    criterion.bench_function("parse_6_parameters", |bench| {
        bench.iter(|| params::call_parameters(Some(black_box(PARAMS))).expect("valid parameters").len());
    });
}

/// The cheapest export that looks a handle up, alone and with other threads on the same handle.
fn handles(criterion: &mut Criterion) {
    // SAFETY: NULL says that the reason of a failure is not wanted.
    let queue = unsafe { mailru_queue_new(0, 0, ptr::null_mut()) };
    assert!(mailru_queue_fd(queue) >= 0, "a queue and its descriptor");
    criterion.bench_function("look_up_a_handle", |bench| bench.iter(|| mailru_queue_fd(black_box(queue))));
    criterion.bench_function(&format!("look_up_a_handle_on_{THREADS}_threads"), |bench| {
        bench.iter_custom(|rounds| {
            let begun = Instant::now();
            thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| (0..rounds / THREADS + 1).for_each(|_| _ = mailru_queue_fd(black_box(queue))));
                }
            });
            begun.elapsed()
        });
    });
    mailru_queue_free(queue);
}

/// One of an answer's users, with the fields that the platform documents.
fn user(number: u64) -> String {
    format!(
        r#"{{"uid":"{}","first_name":"Евгений","last_name":"Маслов","nick":"Женя \"{number}\"","sex":{},
"birthday":"15.02.1980","age":{},"has_pic":1,"pic":"http://avt.appsmail.ru/mail/user{number}/_avatar",
"pic_50":"http://avt.appsmail.ru/mail/user{number}/_avatar50","link":"http://my.mail.ru/mail/user{number}/",
"is_online":{},"friends_count":{},"location":{{"country":{{"id":"24","name":"Россия"}},"city":{{"id":"25"}}}}}}"#,
        11_425_330_190_814_458_227 + number * 7919,
        number % 2,
        66 - number % 45,
        number.is_multiple_of(3),
        number * 31 % 500,
    )
    .replace('\n', "")
}

fn answers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("check_an_answer");
    for (name, size) in [("2_kb", 2_000), ("800_kb", 800_000)] {
        let users: Vec<_> = (0..)
            .map(user)
            .scan(0, |sum, user| {
                (*sum < size).then(|| {
                    *sum += user.len() + 1;
                    user
                })
            })
            .collect();
        let body = format!("[{}]", users.join(",")).into_bytes();
        assert_eq!(Answer::classify(200, body.clone()).kind, BodyKind::Json);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bench| {
            bench.iter_batched(|| body.clone(), |body| Answer::classify(200, black_box(body)), BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group! {
    name = micro;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = signing, parsing, handles, answers
}
criterion_main!(micro);
