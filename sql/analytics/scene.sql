-- One row per scene, that is, place where readers come from: its code and what each endpoint calls
-- it. The endpoints count by different rules: compare a scene's shares, not its readers
-- 中文：每个阅读来源一行：代码及两个接口中的名称
-- key: scene
{% from "analytics/macros.jinja" import literal, scenes, sentence %}
CREATE VIEW analytics.scene (
    -- Its code, in analytics.article_source
    -- 中文：来源代码
    scene,
    -- What it is called
    -- 中文：英文名称
    scene_name,
    -- What it is called in Chinese
    -- 中文：中文名称
    scene_chinese_name,
    -- The metric of article_total that counts the people who came from there
    -- 中文：旧接口的阅读人数指标
    read_user_metric,
    -- The text in the lists of article_total_detail, read_user_source
    -- 中文：新接口的来源描述
    scene_desc
) AS
SELECT *
FROM (
    VALUES
    {% for scene in scenes %}
    (
        '{{ scene.code }}',
        {{ literal(sentence(scene.name)) }},
        '{{ scene.chinese_name }}',
        'int_page_from_{{ scene.part }}_read_user',
        '{{ scene.scene_desc }}'
    ){{ "," if not loop.last }}
    {% endfor %}
) AS scene (scene, scene_name, scene_chinese_name, read_user_metric, scene_desc)
