/* A library that tests load when their program has long begun. LATE_ANSWER tells one build of it from the other. */
int late_answer(void *arg, void *result);

int late_answer(void *arg, void *result)
{
        (void)arg;
        (void)result;
        return LATE_ANSWER;
}
