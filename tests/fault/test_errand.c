/* What is fetched before an op can be built, and ops of several exchanges or none. */
#include "../unit/test.h"
#include "base/sys.h"
#include "loopback.h"
#include "plain.h"

#define EMPTY(status) "HTTP/1.1 " #status " X\r\nContent-Length: 0\r\n\r\n"
#define SERVE(s, ...)                                                                              \
    static const struct loopback_step steps_[] = {__VA_ARGS__};                                    \
    struct loopback s;                                                                             \
    loopback_start(&s, steps_, (int)(sizeof steps_ / sizeof *steps_))

enum { CALLS = 20 };
static struct plain_client client;
static struct plain_call calls[CALLS];

static void begin(uint16_t port, int need)
{
    plain_clock_start();
    plain_open(&client, port);
    client.d->need = need;
    for (int i = 0; i < CALLS; i++) {
        plain_call_init(&calls[i], PL_OP_DELETE);
    }
}

static void submit(int i)
{
    client.p->ops->submit(client.p, &calls[i].op);
}

static void end(struct loopback *s)
{
    for (int i = 0; i < CALLS; i++) {
        CHECK(calls[i].times <= 1);
        plain_call_free(&calls[i]);
    }
    plain_close(&client);
    plain_clock_stop();
    loopback_stop(s);
}

static void test_errand__is_made_once_and_before_the_first_op(void)
{
    SERVE(s, {.send = EMPTY(200)}, {.send = EMPTY(200), .for_ever = true});
    begin(s.port, PLAIN_NEED_NOW);
    CHECK_INT(plain_run(&client, &calls[0]), PAIL_OK);
    CHECK_INT(plain_run(&client, &calls[1]), PAIL_OK);
    CHECK_INT(s.requests, 3);
    CHECK(loopback_has(&s, 0, "GET /token HTTP/1.1"));
    CHECK(loopback_has(&s, 1, "DELETE /b/k HTTP/1.1"));
    CHECK_INT(client.d->errands, 1);
    end(&s);
}

static void test_errand__serves_all_that_came_meanwhile(void)
{
    SERVE(s, {.send = EMPTY(200)}, {.send = EMPTY(200), .for_ever = true});
    begin(s.port, PLAIN_NEED_NOW);
    for (int i = 0; i < CALLS; i++) {
        submit(i);
    }
    for (int i = 0; i < CALLS; i++) {
        plain_wait(&calls[i]);
        CHECK_INT(calls[i].op.rc, PAIL_OK);
    }
    CHECK_INT(client.d->errands, 1);
    CHECK_INT(s.requests, CALLS + 1);
    end(&s);
}

static void test_errand__that_fails_fails_all_that_waited_in_its_words(void)
{
    SERVE(s, {.send = EMPTY(403), .for_ever = true});
    begin(s.port, PLAIN_NEED_NOW);
    for (int i = 0; i < 3; i++) {
        submit(i);
    }
    for (int i = 0; i < 3; i++) {
        plain_wait(&calls[i]);
        CHECK_INT(calls[i].op.rc, PAIL_E_NO_CREDENTIALS);
        CHECK(strncmp(pail_error_message(calls[i].op.error), "no token: ", 10) == 0);
        CHECK_STR(pail_error_bucket(calls[i].op.error), "b");
        CHECK(!pail_error_maybe_applied(calls[i].op.error));
    }
    CHECK_INT(s.requests, client.d->errands);
    end(&s);
}

static void test_errand__beside_an_op_does_not_hold_it(void)
{
    SERVE(s, {.send = EMPTY(500)}, {.send = EMPTY(200), .for_ever = true});
    begin(s.port, PLAIN_NEED_BESIDE);
    client.d->work_first = true;
    CHECK_INT(plain_run(&client, &calls[0]), PAIL_OK);
    loopback_wait(&s, 2);
    end(&s);
}

static void test_errand__may_work_on_a_thread_of_its_own(void)
{
    SERVE(s, {.send = EMPTY(200), .for_ever = true});
    begin(s.port, PLAIN_NEED_NOW);
    client.d->work_first = true;
    plain_clock_stop(); /* it would run away while the thread works */
    CHECK_INT(plain_run(&client, &calls[0]), PAIL_OK);
    CHECK_INT(client.d->works, 1);
    CHECK_INT(s.requests, 2);
    plain_clock_start();
    end(&s);
}

static void test_errand__whose_fruit_does_not_serve_is_no_endless_loop(void)
{
    SERVE(s, {.send = EMPTY(200), .for_ever = true});
    begin(s.port, PLAIN_NEED_NOW);
    client.d->never_there = true;
    CHECK_INT(plain_run(&client, &calls[0]), PAIL_OK);
    CHECK_INT(client.d->errands, 8);
    end(&s);
}

static void test_errand__of_many_different_ones_each_is_made(void)
{
    static const char *const keys[CALLS] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j",
                                            "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"};
    SERVE(s, {.send = EMPTY(200), .for_ever = true});
    begin(s.port, PLAIN_NEED_NOW);
    client.d->each = true;
    for (int i = 0; i < CALLS; i++) {
        calls[i].op.key = keys[i];
        submit(i);
    }
    for (int i = 0; i < CALLS; i++) {
        plain_wait(&calls[i]);
        CHECK_INT(calls[i].op.rc, PAIL_OK);
        CHECK(client.d->tokens[(int)*keys[i]]);
    }
    CHECK_INT(client.d->errands, CALLS);
    CHECK_INT(s.requests, 2 * CALLS);
    end(&s);
}

static void test_errand__waiting_for_it_can_be_cancelled(void)
{
    SERVE(s, {.then = HANG, .for_ever = true});
    begin(s.port, PLAIN_NEED_NOW);
    plain_clock_stop();
    submit(0);
    submit(1);
    loopback_wait(&s, 1);
    client.p->ops->cancel(client.p, &calls[0].op);
    client.p->ops->cancel(client.p, &calls[1].op);
    plain_wait(&calls[0]);
    plain_wait(&calls[1]);
    CHECK_INT(calls[0].op.rc, PAIL_E_CANCELLED);
    CHECK_INT(calls[1].op.rc, PAIL_E_CANCELLED);
    plain_clock_start();
    end(&s);
}

static void test_errand__is_not_waited_for_past_the_deadline(void)
{
    SERVE(s, {.then = HANG, .for_ever = true});
    begin(s.port, PLAIN_NEED_NOW);
    plain_clock_stop();
    calls[0].op.deadline_ns = pl_sys.mono_ns() + 50000000;
    CHECK_INT(plain_run(&client, &calls[0]), PAIL_E_TIMEOUT);
    CHECK_INT(client.d->errands, 1);
    plain_clock_start();
    end(&s);
}

static void test_errand__ends_with_its_client(void)
{
    SERVE(s, {.then = HANG, .for_ever = true});
    for (int i = 0; i < 20; i++) {
        plain_open(&client, s.port);
        client.d->need = PLAIN_NEED_BESIDE;
        client.d->work_first = i % 2;
        client.d->exchanges = 0;
        plain_call_init(&calls[0], PL_OP_DELETE);
        CHECK_INT(plain_run(&client, &calls[0]), PAIL_OK);
        plain_call_free(&calls[0]);
        plain_close(&client);
    }
    loopback_stop(&s);
}

static void test_exchanges__of_one_op_follow_each_other_and_cost_no_attempt(void)
{
    SERVE(s, {.send = EMPTY(200)}, {.send = EMPTY(500)}, {.send = EMPTY(200), .for_ever = true});
    begin(s.port, PLAIN_NO_NEED);
    client.d->exchanges = 4;
    CHECK_INT(plain_run(&client, &calls[0]), PAIL_OK);
    CHECK_INT(s.requests, 5);
    CHECK(plain_waited_ms() >= 750);
    end(&s);
}

static void test_exchanges__are_not_waited_for_past_the_deadline(void)
{
    SERVE(s, {.send = EMPTY(200), .for_ever = true});
    begin(s.port, PLAIN_NO_NEED);
    client.d->exchanges = 100;
    calls[0].op.deadline_ns = pl_sys.mono_ns() + 1000000000;
    CHECK_INT(plain_run(&client, &calls[0]), PAIL_E_TIMEOUT);
    CHECK_INT(s.requests, 4);
    end(&s);
}

static void test_exchanges__that_are_not_needed_are_not_made(void)
{
    SERVE(s, {.send = EMPTY(500), .for_ever = true});
    begin(s.port, PLAIN_NO_NEED);
    client.d->exchanges = 0;
    CHECK_INT(plain_run(&client, &calls[0]), PAIL_OK);
    CHECK_INT(s.requests, 0);
    end(&s);
}

static void test_presign__waits_for_what_it_needs(void)
{
    SERVE(s, {.send = EMPTY(200), .for_ever = true});
    begin(s.port, PLAIN_NEED_NOW);
    calls[0].op.kind = calls[1].op.kind = PL_OP_PRESIGN;
    CHECK_INT(plain_run(&client, &calls[0]), PAIL_OK);
    CHECK_STR(calls[0].op.out.presigned.url, "http://signed.invalid/");
    CHECK_INT(plain_run(&client, &calls[1]), PAIL_OK);
    CHECK_INT(s.requests, 1);
    end(&s);
}

int main(void)
{
    RUN(test_errand__is_made_once_and_before_the_first_op);
    RUN(test_errand__serves_all_that_came_meanwhile);
    RUN(test_errand__that_fails_fails_all_that_waited_in_its_words);
    RUN(test_errand__beside_an_op_does_not_hold_it);
    RUN(test_errand__may_work_on_a_thread_of_its_own);
    RUN(test_errand__whose_fruit_does_not_serve_is_no_endless_loop);
    RUN(test_errand__of_many_different_ones_each_is_made);
    RUN(test_errand__waiting_for_it_can_be_cancelled);
    RUN(test_errand__is_not_waited_for_past_the_deadline);
    RUN(test_errand__ends_with_its_client);
    RUN(test_exchanges__of_one_op_follow_each_other_and_cost_no_attempt);
    RUN(test_exchanges__are_not_waited_for_past_the_deadline);
    RUN(test_exchanges__that_are_not_needed_are_not_made);
    RUN(test_presign__waits_for_what_it_needs);
    return test_end();
}
