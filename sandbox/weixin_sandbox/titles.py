"""Made-up Chinese headlines, with characters that break careless loaders."""

from random import Random

_TOPICS = [
    *("秋招", "高铁", "垃圾分类", "新能源车", "夜市", "博物馆", "社区食堂", "马拉松", "奶茶"),
    *("老旧小区改造", "直播带货", "人工智能", "露营", "医保", "校园足球", "乡村民宿", "咖啡"),
    *("地铁末班车", "台风", "非遗手艺"),
]
_PLACES = [
    *("北京", "上海", "成都", "广州", "西安", "杭州", "哈尔滨", "喀什", "苏州", "重庆", "三亚"),
    "大理",
]
_SHAPES = """{place}的{topic}，为什么突然火了？
一文读懂：{place}{topic}的五个变化
“{topic}”之后，{place}怎么办
他说"{topic}不难"，然后去了{place}
{topic}, {place}, 还有我们
{place}人的{topic}🔥，你赶上了吗
别再问{topic}了👨‍👩‍👧
【重磅】{place}发布{topic}新政
{topic}：从0到1，{place}用了10年
{place}\\{topic}：两种'活法'
深夜，{place}的{topic}还亮着灯
《{topic}手记》｜{place}篇""".splitlines()


def title(random: Random) -> str:
    """Return a headline; some have quotes, commas, a backslash or emoji."""
    return random.choice(_SHAPES).format(topic=random.choice(_TOPICS), place=random.choice(_PLACES))
