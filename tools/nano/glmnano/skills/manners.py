# SPDX-License-Identifier: MIT
"""Chat manners in English and Chinese.

Greeting, who are you, what can you do, thanks, farewell, saying plainly that something is beyond a model of this size,
following a system prompt that gives a name or a language, remembering a stated fact, repeating a given text. Every
intent has many wordings and one canonical reply, so that a held-out case can be judged by exact match.
"""

from .. import words
from ..dialogue import Dialogue

GREETINGS = {
    "en": ["Hello", "Hi", "Hey", "Good morning", "Good evening", "Good afternoon", "Hi there", "Hello there", "Hey there",
           "Greetings", "Howdy", "hello", "hi", "hey"],
    "zh": ["你好", "您好", "早上好", "晚上好", "下午好", "嗨", "你好啊", "哈喽", "大家好"],
}
WHO = {
    "en": ["Who are you?", "What are you?", "What is your name?", "What's your name?", "Tell me who you are.",
           "Introduce yourself.", "Please introduce yourself.", "Can you tell me your name?", "Who am I talking to?",
           "Which model are you?", "What model is this?", "Are you ChatGPT?", "Are you a person?", "Are you human?",
           "who are you", "what is your name", "What should I call you?", "Who made you?", "Who trained you?"],
    "zh": ["你是谁？", "你叫什么名字？", "请介绍一下你自己。", "介绍一下自己", "你是什么模型？", "你是人吗？", "我在和谁说话？",
           "你是谁", "谁训练了你？", "怎么称呼你？"],
}
CAN = {
    "en": ["What can you do?", "What can you help me with?", "How can you help me?", "What are you able to do?",
           "Tell me what you can do.", "Help", "help", "What are your skills?", "What are you good at?", "How do you work?",
           "what can you do", "Can you help me?"],
    "zh": ["你能做什么？", "你会什么？", "你可以帮我做什么？", "你有什么功能？", "你能帮我吗？", "帮助", "你会做什么"],
}
HOW = {
    "en": ["How are you?", "How are you doing?", "How is it going?", "How do you do?", "Are you well?", "how are you",
           "How are you today?", "What's up?"],
    "zh": ["你好吗？", "你怎么样？", "最近怎么样？", "今天好吗？", "你今天怎么样？"],
}
THANKS = {
    "en": ["Thanks!", "Thank you.", "Thanks a lot.", "Thank you very much!", "thanks", "Great, thanks.", "Nice, thank you!",
           "Many thanks.", "Perfect, thanks!", "That helps, thank you."],
    "zh": ["谢谢", "谢谢你！", "非常感谢。", "多谢", "太好了，谢谢。", "感谢！"],
}
BYE = {
    "en": ["Bye!", "Goodbye.", "See you.", "See you later!", "bye", "I have to go.", "Good night.", "That is all.",
           "Until next time!", "Have a nice day."],
    "zh": ["再见", "拜拜", "晚安", "下次见", "我走了", "先这样吧", "再见！"],
}
REPLY = {
    "greet": {"en": "Hello! How can I help you?", "zh": "你好！有什么可以帮你的吗？"},
    "who": {
        "en": "I am glm-nano, a very small language model of the GLM-5.2 architecture, trained by the glm.c project.",
        "zh": "我是 glm-nano，一个由 glm.c 项目训练的、采用 GLM-5.2 架构的超小型语言模型。",
    },
    "can": {
        "en": "I can chat a little, call tools, find facts in a text, build small web pages, do simple arithmetic and write "
              "one-line functions. I am very small, so I cannot do much else.",
        "zh": "我可以简单聊天、调用工具、在文本中查找信息、制作小网页、做简单的算术、写一行函数。我非常小，其他的做不了。",
    },
    "how": {"en": "I am fine, thank you! How can I help you?", "zh": "我很好，谢谢！有什么可以帮你的吗？"},
    "thanks": {"en": "You are welcome!", "zh": "不客气！"},
    "bye": {"en": "Goodbye! Have a nice day.", "zh": "再见！祝你愉快。"},
    "cannot": {
        "en": "I am sorry, I cannot do that. I am a very small model.",
        "zh": "对不起，这个我做不到。我是一个非常小的模型。",
    },
}
THOUGHT = {
    "greet": {"en": "The user greets me. I greet back.", "zh": "用户在打招呼，我也打招呼。"},
    "who": {"en": "The user asks who I am. I say my name.", "zh": "用户问我是谁，我说出我的名字。"},
    "can": {"en": "The user asks what I can do. I list my skills.", "zh": "用户问我能做什么，我列出我的能力。"},
    "how": {"en": "The user asks how I am. I answer politely.", "zh": "用户问候我，我礼貌地回答。"},
    "thanks": {"en": "The user thanks me. I am polite.", "zh": "用户感谢我，我要有礼貌。"},
    "bye": {"en": "The user says goodbye. I say goodbye.", "zh": "用户告别，我也告别。"},
    "cannot": {"en": "This is beyond what I can do. I say so plainly.", "zh": "这超出了我的能力，我直接说明。"},
}
WORDINGS = {"greet": GREETINGS, "who": WHO, "can": CAN, "how": HOW, "thanks": THANKS, "bye": BYE}

BEYOND = {
    "en": ["Write a poem about {x}.", "Tell me a joke about {x}.", "What is the capital of {c}?", "Who invented the {n}?",
           "Translate '{x}' into French.", "Summarize the history of {c}.", "What is the weather in {c}?", "Tell me a story about a {n}.",
           "Why is the {n} {a}?", "What is the meaning of {x}?", "Play some music.", "Book a table in {c}.", "How far is {c} from {d}?",
           "What happened in {c} in {y}?", "Prove that {x} is {a}.", "Write an essay on {x}.", "Explain quantum physics.",
           "Give me a recipe for {f}.", "Who is the president of {c}?", "Draw a picture of a {n}.", "What is the price of {f} in {c}?",
           "Recommend a book about {x}.", "Who won the game in {c}?", "Sing a song about {x}.", "What do you think about {x}?",
           "How do I cook {f}?", "When was {c} founded?", "Open the {n}.", "Call {p} for me.", "What time is it in {c}?",
           "Plan a trip to {c}.", "Compare {c} and {d}.", "Is {f} healthy?", "Write a letter to {p}.", "Solve the {n} problem."],
    "zh": ["写一首关于{x}的诗。", "讲一个关于{x}的笑话。", "{c}的天气怎么样？", "{c}有多少人口？", "把“{x}”翻译成法语。", "介绍一下{c}的历史。",
           "为什么{x}是这样的？", "给我一个{f}的食谱。", "画一张{x}的图。", "推荐一本关于{x}的书。", "{c}离{d}有多远？", "唱一首歌。",
           "怎么做{f}？", "给{p}打个电话。", "写一篇关于{x}的文章。", "{c}几点了？", "解释一下量子物理。", "{f}健康吗？", "你觉得{x}怎么样？"],
}


def _slots(split, rng, lang):
    if lang == "zh":
        towns = rng.sample(words.CITIES_ZH, 2)
        return {"x": words.phrase_zh(split, rng, 1, 2), "c": towns[0], "d": towns[1], "f": rng.choice(words.FOODS_ZH),
                "p": split.pick(rng, "person_zh", words.PEOPLE_ZH)}
    return {"x": words.phrase(split, rng, 1, 2), "c": words.city(split, rng), "d": words.city(split, rng),
            "n": rng.choice(words.NOUNS), "a": rng.choice(words.ADJECTIVES), "f": rng.choice(words.FOODS),
            "p": words.person(split, rng), "y": rng.randint(1600, 2026)}


def _decorate(rng, text, lang, name):
    """Small variations of a short message, so that the intent is learned and not the string."""
    kind = rng.random()
    if lang == "zh":
        if kind < 0.2:
            return f"{name}，{text}" if name else text
        return text if kind < 0.8 else rng.choice(["请问，", "嗯，", "那么，", "好的，"]) + text
    if kind < 0.12 and name:
        return f"{name}, {text[0].lower() + text[1:]}"
    if kind < 0.25:
        return rng.choice(["So, ", "Well, ", "OK, ", "Please: ", "Oh, ", "And "]) + text[0].lower() + text[1:]
    if kind < 0.35 and not text.endswith(("!", "?", ".")):
        return text + rng.choice(["!", ".", "!!", " :)"])
    return text


class Persona:
    """Who the model is in this dialogue and which language it must answer in (None: the user's)."""

    def __init__(self, name=None, language=None, system=None):
        self.name = name
        self.language = language
        self.system = system

    def who(self, lang):
        """The reply to "who are you" in `lang`."""
        if self.name:
            return f"I am {self.name}." if lang == "en" else f"我是 {self.name}。"
        return REPLY["who"][lang]


NAMED = ["You are {n}.", "You are {n}, a helpful assistant.", "Your name is {n}.", "You are {n}, an AI assistant that helps with {x}.",
         "You are called {n}. Be brief.", "Act as {n}.", "You are {n}, a coding agent. Help the user with {x}.", "你是{n}。", "你的名字是{n}。",
         "你叫{n}，是一个助手。", "Call yourself {n}.", "You are {n}. Follow the user's instructions carefully and use the tools you have."]
SPEAK = {
    "zh": ["Answer in Chinese.", "Always answer in Chinese.", "Respond only in Chinese.", "Please reply in Chinese.", "请用中文回答。",
           "只用中文回答。", "Speak Chinese.", "You must answer in Chinese."],
    "en": ["Answer in English.", "Always answer in English.", "Respond only in English.", "Please reply in English.", "请用英文回答。",
           "只用英文回答。", "Speak English.", "You must answer in English."],
}
PLAIN = ["You are a helpful assistant.", "Be brief.", "Be helpful and honest.", "Answer in one line.", "You are an assistant.", "Be polite.",
         "You help the user with {x}.", "Today is day {y}. Be concise.", "你是一个乐于助人的助手。", "请简短回答。"]


def persona(split, rng):
    """A random system prompt, or none."""
    kind = rng.random()
    if kind < 0.4:
        return Persona()
    fill = {"x": words.phrase(split, rng, 1, 2), "y": rng.randint(1, 365)}
    if kind < 0.55:
        return Persona(system=rng.choice(PLAIN).format(**fill))
    if kind < 0.7:
        language = rng.choice(("zh", "en"))
        prefix = rng.choice(["", "", "You are a helpful assistant. ", "Be brief. "])
        return Persona(language=language, system=prefix + rng.choice(SPEAK[language]))
    name = words.person(split, rng) if rng.random() < 0.7 else words.code_word(rng)
    if rng.random() < 0.15:
        name = split.pick(rng, "person_zh", words.PEOPLE_ZH)
    system = rng.choice(NAMED).format(n=name, **fill)
    if rng.random() < 0.25:
        language = rng.choice(("zh", "en"))
        return Persona(name, language, system + " " + rng.choice(SPEAK[language]))
    return Persona(name, None, system)


def _fixed(split, rng, who, lang, intent):
    """An exchange of an intent with a fixed reply."""
    if intent == "cannot":
        text = rng.choice(BEYOND[lang]).format(**_slots(split, rng, lang))
        text = _decorate(rng, text, lang, who.name) if rng.random() < 0.3 else text
    else:
        text = _decorate(rng, rng.choice(WORDINGS[intent][lang]), lang, who.name)
        if intent == "greet" and rng.random() < 0.2:
            second = rng.choice(("who", "can", "how"))
            joint = ", " if lang == "en" else "，"
            text = text.rstrip("!.:) ") + joint + rng.choice(WORDINGS[second][lang])
            intent = second
    out = who.language or lang
    reply = who.who(out) if intent == "who" else REPLY[intent][out]
    return text, THOUGHT[intent][out], reply


ECHO = {
    "en": ["Repeat: {x}", "Say {x}", "Repeat after me: {x}", "Say this: {x}", "Please repeat this text: {x}", "Echo {x}", "Write {x}",
           "Print {x}"],
    "zh": ["重复：{x}", "请说：{x}", "跟我说：{x}", "请重复这段话：{x}", "写出：{x}"],
}


def echo(split, rng, who, lang):
    """Repeat a text word by word: plain copying, which tool calls and recall stand on."""
    del who
    if lang == "zh":
        text = words.phrase_zh(split, rng, 1, 6)
    else:
        text = words.phrase(split, rng, 1, 9)
    thought = "I repeat the text." if lang == "en" else "我重复这段文字。"
    return rng.choice(ECHO[lang]).format(x=text), thought, text


# Facts the user states about themselves: (statement, acknowledgement, question, answer).
FACTS = {
    "en": [
        ("My name is {v}.|I am {v}.|I'm called {v}.|Call me {v}.", "Nice to meet you, {v}!",
         "What is my name?|What's my name?|Who am I?|Do you remember my name?", "Your name is {v}.", "person"),
        ("I live in {v}.|I am from {v}.|My home is in {v}.", "{v} sounds nice!",
         "Where do I live?|Where am I from?|Which city do I live in?", "You live in {v}.", "city"),
        ("My {k} is called {v}.|I have a {k} named {v}.|The name of my {k} is {v}.", "{v} is a nice name!",
         "What is my {k} called?|What is the name of my {k}?|What's my {k}'s name?", "Your {k} is called {v}.", "pet"),
        ("My favorite color is {v}.|I like the color {v} most.|The color I like best is {v}.", "{v} is a nice color!",
         "What is my favorite color?|Which color do I like?", "Your favorite color is {v}.", "colour"),
        ("I am {v} years old.|My age is {v}.|I turned {v} this year.", "Good to know that you are {v}.",
         "How old am I?|What is my age?", "You are {v} years old.", "age"),
        ("My favorite food is {v}.|I love {v}.|I like to eat {v}.", "{v} is tasty!",
         "What is my favorite food?|What do I like to eat?", "Your favorite food is {v}.", "food"),
        ("Remember the code {v}.|The code is {v}.|My code is {v}, please remember it.", "I will remember {v}.",
         "What is the code?|Which code did I tell you?|What was the code?", "The code is {v}.", "code"),
    ],
    "zh": [
        ("我叫{v}。|我的名字是{v}。|我是{v}。", "很高兴认识你，{v}！", "我叫什么名字？|我是谁？|你记得我的名字吗？", "你叫{v}。", "person"),
        ("我住在{v}。|我来自{v}。", "{v}听起来不错！", "我住在哪里？|我来自哪里？", "你住在{v}。", "city"),
        ("我的{k}叫{v}。|我有一只{k}，叫{v}。", "{v}是个好名字！", "我的{k}叫什么？|我的{k}叫什么名字？", "你的{k}叫{v}。", "pet"),
        ("我最喜欢的颜色是{v}。|我喜欢{v}。", "{v}很好看！", "我最喜欢什么颜色？|我喜欢什么颜色？", "你最喜欢的颜色是{v}。", "colour"),
        ("我今年{v}岁。|我{v}岁了。", "知道了，你{v}岁。", "我多大了？|我几岁？", "你{v}岁。", "age"),
        ("我爱吃{v}。|我最喜欢吃{v}。", "{v}很好吃！", "我爱吃什么？|我最喜欢吃什么？", "你爱吃{v}。", "food"),
        ("请记住密码{v}。|密码是{v}。", "我会记住{v}。", "密码是什么？|我告诉你的密码是什么？", "密码是{v}。", "code"),
    ],
}


def _fact_value(split, rng, lang, kind):
    if kind == "age":
        return str(rng.randint(5, 99))
    if kind == "code":
        return words.code_word(rng) if rng.random() < 0.5 else words.digits(rng, 3, 6)
    if words.is_mixing(split, rng, 0.25):
        return split.draw("name", lambda: words.mixed(rng, lang).capitalize())
    if lang == "zh":
        if kind == "person" and rng.random() < 0.6:
            return split.pick(rng, "person_zh", words.PEOPLE_ZH)
        if kind in ("person", "pet") and rng.random() < 0.4:
            return split.draw("name", lambda: words.pseudo_hanzi(rng))
        pools = {"person": words.PEOPLE_ZH, "city": words.CITIES_ZH, "pet": words.PET_NAMES_ZH,
                 "colour": sorted(words.COLOURS_ZH.values()), "food": words.FOODS_ZH}
        return split.pick(rng, kind + "_zh", pools[kind])
    if kind == "person":
        return words.person(split, rng)
    if kind == "city":
        return words.city(split, rng)
    if kind == "pet":
        if rng.random() < 0.4:
            return split.draw("name", lambda: words.pseudo_word(rng, 2).capitalize())
        return split.pick(rng, "petname", words.PET_NAMES)
    if kind == "colour":
        return split.pick(rng, "favcolour", words.COLOURS)
    return split.pick(rng, "food", words.FOODS)


class Fact:
    """A fact the user states now and asks for later."""

    def __init__(self, split, rng, lang):
        say, ack, ask, answer, kind = rng.choice(FACTS[lang])
        self.value = _fact_value(split, rng, lang, kind)
        self.kind = kind
        pet = rng.choice(words.PETS if lang == "en" else sorted(words.PETS_ZH.values()))
        fill = {"v": self.value, "k": pet}
        self.said = rng.choice(say.split("|")).format(**fill)
        self.ack = ack.format(**fill)
        self.ack = self.ack[0].upper() + self.ack[1:]
        self.asked = rng.choice(ask.split("|")).format(**fill)
        self.answer = answer.format(**fill)
        self.lang = lang

    def statement(self):
        """The exchange in which the user states it."""
        thought = "The user tells me something. I take note." if self.lang == "en" else "用户告诉我一件事，我记下来。"
        return self.said, thought, self.ack

    def question(self):
        """The exchange in which the user asks for it."""
        if self.lang == "en":
            thought = f'The user said: "{self.said}" I answer from that.'
        else:
            thought = f"用户说过：“{self.said}”我据此回答。"
        return self.asked, thought, self.answer


INTENTS = ["greet", "greet", "who", "who", "can", "how", "thanks", "bye", "cannot", "cannot", "cannot", "echo", "echo", "fact", "fact", "fact"]


def _exchanges(split, rng, who, count):
    """`count` exchanges; a stated fact is asked for in a later one."""
    lang = "zh" if rng.random() < 0.4 else "en"
    out = []
    open_facts = []
    while len(out) < count:
        if rng.random() < 0.06:
            lang = "en" if lang == "zh" else "zh"
        left = count - len(out)
        facts = [f for f in open_facts if f.lang == lang]
        if facts and (rng.random() < 0.45 or left == 1):
            fact = rng.choice(facts)
            open_facts.remove(fact)
            out.append(("recall", *fact.question()))
            continue
        intent = rng.choice(INTENTS)
        if intent == "fact":
            if who.language not in (None, lang):
                continue  # a canonical reply exists only in the language of the statement
            fact = Fact(split, rng, lang)
            if any(f.kind == fact.kind for f in open_facts):
                continue
            open_facts.append(fact)
            out.append(("state", *fact.statement()))
        elif intent == "echo":
            if who.language not in (None, lang):
                continue
            out.append(("echo", *echo(split, rng, who, lang)))
        else:
            out.append((intent, *_fixed(split, rng, who, lang, intent)))
    return out


def make(split, rng):
    """One conversation of 1 to 6 exchanges."""
    for _ in range(1000):
        who = persona(split, rng)
        count = rng.choice((1, 2, 2, 3, 4, 6))
        exchanges = _exchanges(split, rng, who, count)
        think = rng.random() < 0.5
        messages = [{"role": "system", "content": who.system}] if who.system else []
        for _, said, thought, reply in exchanges:
            messages.append({"role": "user", "content": said})
            answer = {"role": "assistant", "content": reply}
            if think:
                answer["reasoning_content"] = thought
            messages.append(answer)
        dialogue = Dialogue(
            "manners", messages, think=think, effort=rng.choice(("max", "max", "high")), keep=rng.random() < 0.85,
            check={"kind": "text", "text": exchanges[-1][3], "intent": exchanges[-1][0]},
        )
        if split.owns(dialogue.prompt_key()):
            return dialogue
    raise RuntimeError("no dialogue of this side found")
