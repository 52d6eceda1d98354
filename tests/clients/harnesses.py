# SPDX-License-Identifier: MIT
"""lm-evaluation-harness and guidellm, unchanged, against GLM_TEST_URL. Prints a line a case.

    harnesses.py lm_eval|guidellm FOLDER-OF-ITS-ENVIRONMENT
"""
import glob
import json
import os
import subprocess
import sys
import tempfile
import urllib.request

URL = os.environ["GLM_TEST_URL"]
NAME, ENVIRONMENT = sys.argv[1], sys.argv[2]
DOCS = [{"q": "The sky is", "choices": [" blue", " seven", " a dog and a cat"], "answer": 0},
        {"q": "Two and two make", "choices": [" green", " four"], "answer": 1}]


def run(program, arguments, folder):
    clean = {k: os.environ[k] for k in ("PATH", "LANG") if k in os.environ}
    clean.update(HOME=folder, HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", OPENAI_API_KEY="none", NO_COLOR="1", no_proxy="*")
    result = subprocess.run([os.path.join(ENVIRONMENT, "bin", program), *arguments], cwd=folder, env=clean,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    assert result.returncode == 0, result.stdout.decode(errors="replace")[-4000:]


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write(text)
    return path


def ask(path, body):
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def log_likelihood(context, continuation):
    """What the server itself says of a continuation, asked as nobody's harness does."""
    n = len(ask("/tokenize", {"content": context})["tokens"])
    told = ask("/v1/completions", {"model": "glm-test", "prompt": context + continuation, "max_tokens": 1, "temperature": 0,
                                   "echo": True, "logprobs": 1})["choices"][0]["logprobs"]["token_logprobs"]
    return sum(told[n:-1])


def task(name, kind, data, more):
    return (f"task: {name}\ndataset_path: json\ndataset_kwargs:\n  data_files:\n    test: {data}\ntest_split: test\n"
            f"output_type: {kind}\n{more}")


def lm_eval(folder):
    data = write(folder, "data.jsonl", "".join(json.dumps(d) + "\n" for d in DOCS))
    write(folder, "choice.yaml", task("glm_choice", "multiple_choice", data, 'doc_to_text: "{{q}}"\ndoc_to_choice: choices\n'
                                      'doc_to_target: answer\ntarget_delimiter: ""\nmetric_list:\n  - metric: acc\n'))
    write(folder, "rolling.yaml", task("glm_rolling", "loglikelihood_rolling", data, 'doc_to_text: ""\n'
                                       'doc_to_target: "{{q}}"\nmetric_list:\n  - metric: word_perplexity\n'))
    write(folder, "say.yaml", task("glm_say", "generate_until", data, 'doc_to_text: "{{q}}: Say hello."\n'
                                   'doc_to_target: "Hello there."\ngeneration_kwargs:\n  until: ["zzz", "\\n\\n"]\n'
                                   '  max_gen_toks: 100\nmetric_list:\n  - metric: exact_match\n'))

    def evaluate(model, path, tasks, *more):
        run("lm_eval", ["run", "--model", model, "--model_args", f"base_url={URL}{path},model=glm-test,num_concurrent=2",
                        "--tasks", tasks, "--include_path", folder, "--output_path", os.path.join(folder, "out"),
                        "--log_samples", *more], folder)
        with open(max(glob.glob(f"{folder}/out/**/results_*.json", recursive=True), key=os.path.getmtime)) as file:
            return json.load(file)["results"]

    evaluate("local-completions", "/v1/completions", "glm_choice,glm_rolling")
    n = 0
    for path in glob.glob(f"{folder}/out/**/samples_glm_choice_*.jsonl", recursive=True):
        for sample in map(json.loads, open(path)):
            for choice, answer in zip(sample["doc"]["choices"], sample["filtered_resps"]):
                ours = log_likelihood(sample["doc"]["q"], choice)
                assert abs(float(answer[0]) - ours) < 1e-6 * abs(ours), (choice, answer, ours)
                n += 1
    assert n == 5, n
    print("ok log-likelihoods of 5 continuations and rolling ones, tokenized by the server")
    results = evaluate("local-chat-completions", "/v1/chat/completions", "glm_say", "--apply_chat_template")
    assert results["glm_say"]["exact_match,none"] == 1.0, results
    print("ok generated answers over chat")


def guidellm(folder):
    lines = [{"prompt": "Say hello.", "output_tokens_count": 16}, {"prompt": "Count slowly.", "output_tokens_count": 24}]
    data = write(folder, "data.jsonl", "".join(json.dumps(line) + "\n" for line in lines * 8))
    for route in ("/v1/chat/completions", "/v1/completions"):
        out = os.path.join(folder, "out.json")
        run("guidellm", ["run", "--backend", f"kind=openai_http,target={URL},model=glm-test,request_format={route}", "--profile",
                         "kind=concurrent,streams=4", "--constraint", "kind=max_requests,count=16", "--data",
                         f"kind=json_file,path={data}", "--output", f"kind=json,path={out}", "--disable-console"], folder)
        with open(out) as file:
            metrics = json.load(file)["benchmarks"][0]["metrics"]
        totals = metrics["request_totals"]
        assert totals["successful"] == 16 and not totals["errored"] and not totals["incomplete"], totals
        print("ok", route, "16 requests, 4 at once")


with tempfile.TemporaryDirectory() as scratch:
    {"lm_eval": lm_eval, "guidellm": guidellm}[NAME](scratch)
