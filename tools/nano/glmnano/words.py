# SPDX-License-Identifier: MIT
"""Vocabularies the dialogues are composed of, and generators of words nobody has seen."""

import json

PEOPLE = """Ada Alan Alba Amir Ana Anton Astrid Bela Ben Bruno Carla Cem Chloe Clara Dara David Dina Elena Elif Emil Emma
Erik Eva Farah Felix Fiona Frida Georg Gina Hana Hugo Ida Igor Ines Ivan Jana Jonas Julia Karim Kira Lars Lea Leo Lina
Luca Maja Marco Maria Mark Mila Mina Nadia Nico Nina Noah Nora Olga Omar Oscar Otto Paul Pia Rafael Rita Rosa Ruben Sam
Sara Selma Simon Sofia Sven Tara Theo Tim Tom Uma Vera Viktor Wanda Yara Yusuf Zoe""".split()
PEOPLE_ZH = "小明 小红 李雷 王芳 张伟 刘洋 陈静 杨帆 赵敏 周杰 吴磊 孙丽 朱琳 何平 林涛 高远 马超 郭晶 罗兰 宋佳 唐宁 许诺 韩梅 冯雪".split()
CITIES = """Accra Ankara Athens Bergen Berlin Bogota Boston Cairo Dakar Delhi Dublin Geneva Hanoi Havana Helsinki Kyoto Lagos
Lima Lisbon London Lyon Madrid Manila Milan Nairobi Naples Oslo Paris Porto Prague Quito Riga Rome Seoul Sofia Sydney Tallinn
Tokyo Toronto Turin Vienna Vilnius Warsaw York Zagreb Zurich""".split()
CITIES_ZH = "北京 上海 广州 深圳 成都 杭州 武汉 西安 南京 重庆 天津 苏州 长沙 青岛 大连 厦门 昆明 拉萨".split()
PETS = "dog cat horse rabbit parrot turtle hamster goat".split()
PET_NAMES = """Bella Rex Luna Milo Coco Rocky Daisy Toby Simba Nala Oreo Pepper Ziggy Biscuit Maple Shadow Cookie Ginger Bandit
Pixel Mocha Olive Peanut Waffle Comet Tango""".split()
PETS_ZH = {"dog": "狗", "cat": "猫", "rabbit": "兔子", "horse": "马", "turtle": "乌龟"}
PET_NAMES_ZH = "旺财 咪咪 小白 豆豆 球球 花花 毛毛 乐乐 可乐 布丁 团子 奶茶".split()
COLOURS = """red green blue yellow orange purple pink brown black white gray teal navy maroon olive lime cyan magenta gold silver
coral salmon crimson indigo violet tomato""".split()
COLOURS_ZH = {
    "red": "红色", "green": "绿色", "blue": "蓝色", "yellow": "黄色", "orange": "橙色", "purple": "紫色", "pink": "粉色",
    "brown": "棕色", "black": "黑色", "white": "白色", "gray": "灰色", "gold": "金色",
}
DARK = set("red green blue purple brown black gray teal navy maroon olive crimson indigo magenta tomato".split())
ADJECTIVES = """amber ancient brave bright calm clever cold copper crystal dark deep distant eager early empty fast fierce frozen
gentle golden grand happy heavy hidden hollow humble iron jolly kind late lazy little lively lonely lost loud lucky mellow mighty
misty narrow noble old pale patient plain proud quiet rapid rare rough round royal rusty secret sharp shiny silent silver simple
sleepy small smooth soft solid steady strange strong sunny swift tall tender tiny warm wide wild wise young""".split()
NOUNS = """anchor apple arrow badge basket beacon bell bird boat book bottle box bridge brush bucket cabin candle castle chain chair
clock cloud coin comet crown door dragon drum engine falcon farm feather fence field flag flame flower forest fox garden gate glove
hammer harbor hat helmet hill horn house island jar key kite knife ladder lake lamp leaf lion lock map market meadow mirror moon
mountain needle nest net oak ocean orchard owl paddle panda pearl pen pillow planet pond portal puzzle queen rabbit raven ribbon
ring river robot rocket rope sail saddle shell shield ship shoe spoon star stone storm sword table temple thread tiger torch tower
train tree tunnel valley vase violin wagon wall watch wheel whistle willow window wolf""".split()
NOUNS_ZH = "苹果 书 桥 钟 船 花 灯 门 山 河 星 月亮 树 椅子 桌子 窗 钥匙 箱子 火车 帽子 杯子 笔 云 石头 雨伞 地图 镜子 风筝".split()
FOODS = """pizza soup salad bread rice pasta tea coffee cheese cake honey mango curry noodles pancakes olives sushi tacos waffles
ramen chocolate dumplings""".split()
FOODS_ZH = "饺子 米饭 面条 火锅 蛋糕 苹果 西瓜 豆腐 烤鸭 汤圆 咖啡 绿茶 包子 葡萄".split()
TOPICS = """budget lunch meeting holiday launch review invoice schedule report contract interview party training survey
delivery workshop concert deadline refund""".split()
LABELS = """Save Cancel Send Submit Start Stop Open Close Next Back Login Logout Search Delete Buy Play Pause Reset Continue Help
Accept Decline Upload Download Print Share Copy Edit Apply Refresh Join Leave Retry Undo Redo Confirm Register Subscribe Vote
Reply Archive Explore Donate Launch Rename Sort Filter Export Import Zoom Mute Skip Finish Approve Invite Follow""".split()
LABELS_ZH = "保存 取消 发送 提交 开始 停止 打开 关闭 下一步 返回 登录 退出 搜索 删除 购买 播放 暂停 重置 继续 帮助 确认 注册".split()
VERBS = """build carry catch check clean climb close count cover cross deliver draw drop fill find fold follow guard hide hold join
keep lift load mark measure mend move open pack paint pick plant polish pull push reach repair roll save sell send share shift
show sort split start store test throw touch trace turn visit wash watch weave wrap write""".split()

_LISTED = {word.lower() for words in (PEOPLE, PEOPLE_ZH, CITIES, CITIES_ZH, PET_NAMES, PET_NAMES_ZH, COLOURS, COLOURS_ZH.values(), FOODS, FOODS_ZH,
                                     LABELS, LABELS_ZH) for word in words}

_ONSETS = "b c d f g h j k l m n p r s t v w z br ch cl dr fl gr kr pl sh sk sl st th tr".split()
_VOWELS = "a e i o u ai ea io ou".split()
_CODAS = ["", "", "", "n", "r", "s", "l", "m", "t", "k", "x", "nd", "rt"]
_HANZI = "天地人山水火木金土日月风云雨雪花草树石江河海湖春夏秋冬东西南北中上下大小多少高低长短前后左右新老早晚明白黑红黄蓝绿青紫"


FRAGMENTS = []  # pieces of the tokenizer's vocabulary, once `load_fragments` was called


def load_fragments(path):
    """Fill FRAGMENTS from a tokenizer.json: its entries of letters alone, without the space in front.

    A token that training never asks for cannot be copied later ("Delete", held out, came back as "De"): texts to copy are therefore
    sprinkled with words put together from the whole vocabulary.
    """
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]  # byte-level BPE writes these bytes as themselves
    hidden = [byte for byte in range(256) if byte not in shown]
    byte_of = {chr(byte): byte for byte in shown} | {chr(256 + i): byte for i, byte in enumerate(hidden)}
    with open(path, encoding="utf-8") as file:
        vocabulary = json.load(file)["model"]["vocab"]
    FRAGMENTS.clear()
    for entry in vocabulary:
        text = bytes(byte_of[c] for c in entry).decode("utf-8", "replace").strip()
        if text.isalpha():
            FRAGMENTS.append(text)


def is_mixing(split, rng, share):
    """Whether a text should be `mixed` this time: in training only, for this share of the texts."""
    return bool(FRAGMENTS) and not split.held_out and rng.random() < share


def mixed(rng, lang="en"):
    """Two or three fragments in a row, or Chinese characters from the whole block; never a word of a list."""
    while True:
        pieces = [rng.choice(FRAGMENTS) for _ in range(rng.choice((2, 2, 3)))]
        if lang == "zh":
            pieces = [p if not p.isascii() else chr(rng.randint(0x4E00, 0x9FA5)) for p in pieces]
        elif not all(p.isascii() for p in pieces):
            continue
        word = "".join(pieces)
        if word.lower() not in _LISTED and len(word) <= 16:
            return word


def pseudo_word(rng, syllables=None):
    """A pronounceable word of 1 to 3 syllables that no list contains."""
    count = syllables or rng.choice((1, 2, 2, 2, 3))
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(count))


def pseudo_hanzi(rng, length=None):
    """A string of common Chinese characters."""
    return "".join(rng.choice(_HANZI) for _ in range(length or rng.choice((1, 2, 2, 3, 4))))


def digits(rng, low, high):
    """A number of `low` to `high` digits without a leading zero, as text."""
    n = rng.randint(low, high)
    return str(rng.randint(10 ** (n - 1), 10**n - 1))


def code_word(rng):
    """A short identifier such as K7Q2 or zn-41."""
    if rng.random() < 0.5:
        return "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _ in range(rng.randint(3, 6)))
    return f"{pseudo_word(rng, 1)}-{rng.randint(1, 999)}"


def person(split, rng):
    """A first name: from the list, or invented."""
    if is_mixing(split, rng, 0.15):
        return split.draw("name", lambda: mixed(rng).capitalize())
    if rng.random() < 0.35:
        return split.draw("name", lambda: pseudo_word(rng, 2).capitalize())
    return split.pick(rng, "person", PEOPLE)


def city(split, rng):
    """A town: from the list, or invented."""
    if is_mixing(split, rng, 0.15):
        return split.draw("town", lambda: mixed(rng).capitalize())
    if rng.random() < 0.3:
        return split.draw("town", lambda: pseudo_word(rng).capitalize())
    return split.pick(rng, "city", CITIES)


def phrase(split, rng, low=1, high=4):
    """A few words; the phrase as a whole belongs to one side."""

    def make():
        words = []
        for _ in range(rng.randint(low, high)):
            if is_mixing(split, rng, 0.15):
                words.append(mixed(rng))
                continue
            kind = rng.random()
            if kind < 0.3:
                words.append(rng.choice(ADJECTIVES))
            elif kind < 0.6:
                words.append(rng.choice(NOUNS))
            elif kind < 0.75:
                words.append(rng.choice(VERBS))
            elif kind < 0.85:
                words.append(digits(rng, 1, 4))
            else:
                words.append(pseudo_word(rng))
        return " ".join(words)

    return split.draw("phrase", make)


def phrase_zh(split, rng, low=1, high=4):
    """The same in Chinese."""

    def make():
        parts = []
        for _ in range(rng.randint(low, high)):
            if is_mixing(split, rng, 0.2):
                parts.append(mixed(rng, "zh"))
                continue
            parts.append(rng.choice(NOUNS_ZH) if rng.random() < 0.5 else pseudo_hanzi(rng))
        return "".join(parts)

    return split.draw("phrase", make)
