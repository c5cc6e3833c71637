/*
 * words_zh.c - the Chinese vocabulary, in simplified characters, and the folding of traditional
 * ones onto them.
 *
 * Rows of class OTHER are there to keep their characters from being read as something else.
 */
#include "prompt/words.h"

/* clang-format off */
#define OTHER(t)         { t, ZT_W_OTHER, 0, 0, 0 }
#define FILL(t, v)       { t, ZT_W_FILLER, ZT_F_##v, 0, 0 }
#define PLAIN(t)         FILL(t, PLAIN)
#define CAM(t, v)        { t, ZT_W_CAMERA, ZT_CAM_##v, 0, 0 }
#define VERB(t, f, l)    { t, ZT_W_VERB, ZT_VERB(ZT_V_##f, ZT_##l, 0), 0, 0 }
#define DIR(t, v)        { t, ZT_W_DIR, ZT_D_##v, 0, 0 }
#define MOD(t, sp, st)   { t, ZT_W_MOD, 0, sp, st }
#define IS(t, c)         { t, ZT_W_##c, 0, 0, 0 }
#define FRAME(t, v)      { t, ZT_W_FRAMING, ZT_FRAMING_##v, 0, 0 }
#define PLACE(t, x, y)   { t, ZT_W_POSITION, ZT_AT(x, y), 0, 0 }
#define ATMO(t, v, st)   { t, ZT_W_ATMO, ZT_ATMO_##v, 0, st }
#define DEG(t, st)       { t, ZT_W_DEGREE, 0, 0, st }
#define CUT(t, v)        { t, ZT_W_CUT, ZT_##v, 0, 0 }
#define NUM(t, v)        { t, ZT_W_NUMBER, v, 0, 0 }

const struct zt_word zt_words_zh[] = {
    /* the camera */
    CAM("镜头", SHOT), CAM("镜", SHOT), CAM("摄像机", CAMERA), CAM("摄影机", CAMERA),
    CAM("相机", CAMERA), CAM("机位", CAMERA), CAM("摄像头", CAMERA), CAM("摄像", CAMERA),
    CAM("摄影", CAMERA), CAM("拍摄", SHOT), CAM("视角", FRAME), CAM("画面", FRAME),
    CAM("视野", FRAME), CAM("构图", FRAME), CAM("航拍", AERIAL), CAM("无人机", AERIAL),
    CAM("航拍镜头", AERIAL), CAM("无人机视角", AERIAL), CAM("无人机镜头", AERIAL), CAM("俯拍", AERIAL),
    CAM("运镜", CAMERA), CAM("镜头语言", CAMERA), CAM("第一视角", CAMERA), CAM("主观视角", CAMERA),
    CAM("长镜头", SHOT), CAM("仰拍", CAMERA), CAM("穿越机", AERIAL),
    { "镜头运动", ZT_W_MOVEMENT, 1, 0, 0 }, { "镜头移动", ZT_W_MOVEMENT, 1, 0, 0 }, { "推拉摇移", ZT_W_MOVEMENT, 1, 0, 0 }, IS("运动", MOVEMENT),
    { "相机运动", ZT_W_MOVEMENT, 1, 0, 0 }, { "镜头变化", ZT_W_MOVEMENT, 1, 0, 0 }, { "机位变化", ZT_W_MOVEMENT, 1, 0, 0 }, { "镜头动作", ZT_W_MOVEMENT, 1, 0, 0 },
    { "推拉", ZT_W_MOVEMENT, 1, 0, 0 }, { "摇移", ZT_W_MOVEMENT, 1, 0, 0 }, IS("晃动镜头", MOVEMENT),
    OTHER("眼镜"), OTHER("镜子"), OTHER("墨镜"), OTHER("镜面"), OTHER("望远镜"), OTHER("镜片"),
    OTHER("运动鞋"), OTHER("运动服"), OTHER("运动员"), OTHER("摄影师"), OTHER("摄影棚"), OTHER("慢镜头"),
    OTHER("慢动作"), OTHER("升格"), OTHER("监控摄像头"), OTHER("自拍"), OTHER("放大镜"),

    /* film terms */
    VERB("推镜头", PUSH, TERM), VERB("推镜", PUSH, TERM), VERB("推进", PUSH, SEMI),
    VERB("推近", PUSH, TERM), VERB("前推", PUSH, TERM), VERB("推向", PUSH, SEMI), VERB("推到", PUSH, SEMI),
    VERB("推至", PUSH, SEMI), VERB("推", PUSH, GENERIC), VERB("推移", PUSH, GENERIC), VERB("推轨", DOLLY, TERM),
    VERB("推上", PUSH, SEMI), VERB("推入", PUSH, SEMI), VERB("拉近", PUSH, SEMI), VERB("逼近", PUSH, GENERIC),
    VERB("靠近", PUSH, GENERIC), VERB("接近", PUSH, GENERIC), VERB("贴近", PUSH, GENERIC), VERB("前进", PUSH, GENERIC),
    VERB("前移", PUSH, SEMI), VERB("深入", PUSH, GENERIC), VERB("穿过", FLY, GENERIC), VERB("穿越", FLY, GENERIC),
    VERB("拉镜头", PULL, TERM), VERB("拉镜", PULL, TERM), VERB("拉远", PULL, SEMI), VERB("拉开", PULL, GENERIC),
    VERB("拉出", PULL, GENERIC), VERB("后拉", PULL, TERM), VERB("拉", PULL, GENERIC), VERB("拉升", CRANE, SEMI),
    VERB("拉高", CRANE, SEMI), VERB("后撤", WITHDRAW, GENERIC), VERB("后退", WITHDRAW, GENERIC), VERB("远离", WITHDRAW, GENERIC),
    VERB("退后", WITHDRAW, GENERIC), VERB("后移", PULL, SEMI), VERB("拉回", PULL, GENERIC), VERB("退出", WITHDRAW, GENERIC),
    VERB("变焦", ZOOM, TERM), VERB("变焦推进", ZOOM, TERM), VERB("放大", ENLARGE, GENERIC), VERB("缩小", SHRINK, GENERIC),
    VERB("变焦镜头", ZOOM, TERM), VERB("急推", PUSH, TERM), VERB("急拉", PULL, TERM), VERB("快推", PUSH, TERM),
    VERB("慢推", PUSH, TERM), VERB("缓推", PUSH, TERM), VERB("慢拉", PULL, TERM),
    VERB("希区柯克变焦", DOLLY_ZOOM, TERM), VERB("希区柯克式变焦", DOLLY_ZOOM, TERM), VERB("滑动变焦", DOLLY_ZOOM, TERM),
    VERB("推拉变焦", DOLLY_ZOOM, TERM), VERB("眩晕效果", DOLLY_ZOOM, TERM), VERB("希区柯克", DOLLY_ZOOM, TERM),
    VERB("移动变焦", DOLLY_ZOOM, TERM), VERB("眩晕镜头", DOLLY_ZOOM, TERM), VERB("希区柯克镜头", DOLLY_ZOOM, TERM),
    VERB("摇镜头", PAN, TERM), VERB("摇镜", PAN, TERM), VERB("摇", PAN, GENERIC), VERB("横摇", PAN, TERM),
    VERB("摇摄", PAN, TERM), VERB("转动", PAN, GENERIC), VERB("转", PAN, GENERIC), VERB("扫过", PAN, GENERIC),
    VERB("横扫", PAN, GENERIC), VERB("摇向", PAN, SEMI), VERB("摇到", PAN, SEMI), VERB("摇至", PAN, SEMI), VERB("摇动", PAN, GENERIC),
    VERB("转向", PAN, GENERIC), VERB("转到", PAN, GENERIC), VERB("环视", PAN, SEMI), VERB("扫视", PAN, GENERIC),
    VERB("俯仰", TILT, TERM), VERB("仰起", TILT, GENERIC), VERB("抬起", TILT, GENERIC), VERB("上仰", TILT, SEMI),
    VERB("移镜头", TRUCK, TERM), VERB("移镜", TRUCK, TERM), VERB("平移", TRUCK, SEMI), VERB("横移", TRUCK, TERM),
    VERB("移", TRAVEL, GENERIC), VERB("移动", TRAVEL, GENERIC), VERB("滑动", TRUCK, GENERIC), VERB("侧移", TRUCK, TERM),
    VERB("横向移动", TRUCK, SEMI), VERB("平移镜头", TRUCK, TERM), VERB("滑轨", TRUCK, SEMI), VERB("移至", TRAVEL, GENERIC),
    VERB("移向", TRAVEL, GENERIC), VERB("运动到", TRAVEL, GENERIC), VERB("滑行", TRAVEL, GENERIC), VERB("横向平移", TRUCK, TERM),
    VERB("升镜头", PEDESTAL, TERM), VERB("升降", PEDESTAL, SEMI), VERB("上升", RISE, GENERIC), VERB("升起", RISE, GENERIC),
    VERB("抬升", RISE, GENERIC), VERB("升高", RISE, GENERIC), VERB("升", RISE, GENERIC), VERB("下降", SINK, GENERIC),
    VERB("降低", SINK, GENERIC), VERB("降落", SINK, GENERIC), VERB("降", SINK, GENERIC), VERB("下沉", SINK, GENERIC),
    VERB("爬升", RISE, GENERIC), VERB("俯冲", FLY, GENERIC), VERB("下移", SINK, SEMI), VERB("上移", RISE, SEMI),
    VERB("降镜头", SINK, TERM), VERB("升镜", RISE, TERM), VERB("降镜", SINK, TERM),
    VERB("摇臂", CRANE, TERM), VERB("摇臂镜头", CRANE, TERM), VERB("吊臂", CRANE, SEMI), VERB("旋转", ROTATE, GENERIC),
    VERB("翻滚", ROLL, GENERIC), VERB("滚转", ROLL, SEMI), VERB("旋转镜头", ROTATE, TERM), VERB("自转", ROTATE, GENERIC),
    VERB("环绕", ORBIT, SEMI), VERB("环绕拍摄", ORBIT, TERM), VERB("环绕镜头", ORBIT, TERM), VERB("围绕", ORBIT, GENERIC),
    VERB("环拍", ORBIT, TERM), VERB("绕", ORBIT, GENERIC), VERB("绕着", ORBIT, GENERIC), VERB("盘旋", ORBIT, GENERIC),
    VERB("弧形", ORBIT, SEMI), VERB("弧线", ORBIT, SEMI), VERB("子弹时间", ORBIT, SEMI), VERB("环绕旋转", ORBIT, SEMI),
    VERB("环形", ORBIT, GENERIC), VERB("绕行", ORBIT, GENERIC), VERB("围着", ORBIT, GENERIC), VERB("环绕运镜", ORBIT, TERM),
    VERB("旋转环绕", ORBIT, SEMI), VERB("环绕一周", ORBIT, SEMI),
    VERB("跟随", FOLLOW, GENERIC), VERB("跟拍", FOLLOW, TERM), VERB("跟镜", FOLLOW, TERM), VERB("跟镜头", FOLLOW, TERM),
    VERB("跟随镜头", FOLLOW, TERM), VERB("追随", FOLLOW, GENERIC), VERB("追踪", FOLLOW, GENERIC), VERB("跟踪", FOLLOW, GENERIC),
    VERB("跟", FOLLOW, GENERIC), VERB("跟着", FOLLOW, GENERIC), VERB("跟移", FOLLOW, TERM), VERB("跟踪拍摄", FOLLOW, TERM),
    VERB("跟随拍摄", FOLLOW, TERM), VERB("追踪镜头", FOLLOW, TERM), VERB("随着", FOLLOW, GENERIC), VERB("紧跟", FOLLOW, GENERIC),
    VERB("尾随", FOLLOW, GENERIC), VERB("追拍", FOLLOW, TERM), VERB("跟踪镜头", FOLLOW, TERM), VERB("紧随", FOLLOW, GENERIC),
    VERB("手持", HANDHELD, GENERIC), VERB("手持感", HANDHELD, TERM), VERB("手持镜头", HANDHELD, TERM), VERB("手持拍摄", HANDHELD, TERM),
    VERB("手持摄影", HANDHELD, TERM), VERB("手持摄像", HANDHELD, TERM), VERB("晃动", HANDHELD, GENERIC), VERB("抖动", HANDHELD, GENERIC),
    VERB("摇晃", HANDHELD, GENERIC), VERB("手持相机", HANDHELD, GENERIC), VERB("手持晃动", HANDHELD, TERM), VERB("颤动", HANDHELD, GENERIC),
    VERB("手持摄影机", HANDHELD, GENERIC), VERB("手持跟拍", FOLLOW, TERM), VERB("抖", HANDHELD, GENERIC), VERB("手抖", HANDHELD, GENERIC),
    VERB("呼吸感", HANDHELD, SEMI), VERB("手持运镜", HANDHELD, TERM), VERB("震动", HANDHELD, GENERIC),
    VERB("固定镜头", STATIC, TERM), VERB("固定机位", STATIC, TERM), VERB("镜头固定", STATIC, TERM), VERB("静止镜头", STATIC, TERM),
    VERB("静态镜头", STATIC, TERM), VERB("固定", STATIC, GENERIC), VERB("静止", STATIC, GENERIC), VERB("静态", STATIC, GENERIC),
    VERB("定机位", STATIC, TERM), VERB("三脚架", STATIC, SEMI), VERB("固定视角", STATIC, TERM), VERB("机位固定", STATIC, TERM),
    VERB("定镜", STATIC, TERM), VERB("锁定", STATIC, GENERIC), VERB("不动", STATIC, GENERIC), VERB("静止不动", STATIC, GENERIC),
    VERB("固定不动", STATIC, GENERIC), VERB("保持不动", STATIC, GENERIC), VERB("固定拍摄", STATIC, TERM), VERB("固定摄像机", STATIC, TERM),
    VERB("保持静止", STATIC, GENERIC), VERB("定格", STATIC, GENERIC),
    VERB("飞行", FLY, GENERIC), VERB("飞", FLY, GENERIC), VERB("飞跃", FLY, GENERIC), VERB("掠过", FLY, GENERIC),
    VERB("飞过", FLY, GENERIC), VERB("飞越", FLY, GENERIC), VERB("穿行", FLY, GENERIC), VERB("漂浮", TRAVEL, GENERIC),

    /* verb and direction in one word */
    DIR("左", LEFT), DIR("右", RIGHT), DIR("上", UP), DIR("下", DOWN), DIR("前", IN), DIR("后", OUT),
    DIR("向左", LEFT), DIR("往左", LEFT), DIR("朝左", LEFT), DIR("向右", RIGHT), DIR("往右", RIGHT), DIR("朝右", RIGHT),
    DIR("向左侧", LEFT), DIR("向右侧", RIGHT), DIR("向左边", LEFT), DIR("向右边", RIGHT), DIR("左侧", LEFT), DIR("右侧", RIGHT),
    DIR("左边", LEFT), DIR("右边", RIGHT), DIR("左方", LEFT), DIR("右方", RIGHT), DIR("向左方", LEFT), DIR("向右方", RIGHT),
    DIR("向上", UP), DIR("往上", UP), DIR("朝上", UP), DIR("向上方", UP), DIR("上方", UP), DIR("垂直", UP), DIR("向高处", UP),
    DIR("向下", DOWN), DIR("往下", DOWN), DIR("朝下", DOWN), DIR("向下方", DOWN), DIR("下方", DOWN),
    DIR("向前", IN), DIR("往前", IN), DIR("朝前", IN), DIR("向前方", IN), DIR("前方", IN), DIR("向内", IN), DIR("往里", IN),
    DIR("由远及近", IN), DIR("由远到近", IN), DIR("由远而近", IN), DIR("由近及远", OUT), DIR("由近到远", OUT), DIR("近", IN), DIR("远", OUT),
    DIR("向后", OUT), DIR("往后", OUT), DIR("朝后", OUT), DIR("向后方", OUT), DIR("向外", OUT), DIR("往外", OUT), DIR("后方", OUT),
    DIR("从左到右", RIGHT), DIR("从左向右", RIGHT), DIR("从左往右", RIGHT), DIR("自左向右", RIGHT), DIR("由左向右", RIGHT), DIR("由左至右", RIGHT),
    DIR("从右到左", LEFT), DIR("从右向左", LEFT), DIR("从右往左", LEFT), DIR("自右向左", LEFT), DIR("由右向左", LEFT), DIR("由右至左", LEFT),
    DIR("从左至右", RIGHT), DIR("从右至左", LEFT), DIR("由左到右", RIGHT), DIR("由右到左", LEFT),
    DIR("从下到上", UP), DIR("从下往上", UP), DIR("从下向上", UP), DIR("自下而上", UP), DIR("由下而上", UP), DIR("由下往上", UP), DIR("由下至上", UP),
    DIR("从上到下", DOWN), DIR("从上往下", DOWN), DIR("从上向下", DOWN), DIR("自上而下", DOWN), DIR("由上而下", DOWN), DIR("由上至下", DOWN),
    DIR("水平", RIGHT), DIR("横向", RIGHT), DIR("侧向", RIGHT), DIR("顺时针", CW), DIR("逆时针", CCW), DIR("一周", AROUND), DIR("一圈", AROUND),
    DIR("四周", AROUND), DIR("度", AROUND),

    /* how fast, how far */
    MOD("慢", 0.5f, 0), MOD("缓", 0.5f, 0), MOD("缓慢", 0.5f, 0), MOD("慢慢", 0.5f, 0), MOD("缓缓", 0.5f, 0), MOD("徐徐", 0.5f, 0),
    MOD("渐渐", 0.5f, 0), MOD("逐渐", 0.5f, 0), MOD("慢速", 0.5f, 0), MOD("低速", 0.5f, 0), MOD("逐步", 0.5f, 0), MOD("悠悠", 0.5f, 0),
    MOD("轻柔", 0.6f, 0.7f), MOD("轻轻", 0.6f, 0.7f), MOD("柔和", 0.6f, 0.7f), MOD("舒缓", 0.5f, 0), MOD("温柔", 0.6f, 0.7f),
    MOD("快", 2, 0), MOD("快速", 2, 0), MOD("迅速", 2, 0), MOD("急速", 2, 0), MOD("飞快", 2, 0), MOD("高速", 2, 0), MOD("极速", 2, 0),
    MOD("猛", 2, 1.5f), MOD("猛地", 2, 1.5f), MOD("猛然", 2, 1.5f), MOD("突然", 2, 0), MOD("疾速", 2, 0), MOD("急", 2, 0), MOD("急促", 2, 0),
    MOD("轻微", 0, 0.5f), MOD("微微", 0, 0.5f), MOD("稍微", 0, 0.5f), MOD("略微", 0, 0.5f), MOD("小幅", 0, 0.5f), MOD("小幅度", 0, 0.5f),
    MOD("微", 0, 0.5f), MOD("细微", 0, 0.5f), MOD("一点", 0, 0.5f), MOD("一点点", 0, 0.5f), MOD("略", 0, 0.5f), MOD("稍稍", 0, 0.5f), MOD("轻", 0, 0.5f),
    MOD("大幅", 0, 2), MOD("大幅度", 0, 2), MOD("强烈", 0, 2), MOD("剧烈", 2, 2), MOD("大范围", 0, 2), MOD("戏剧性", 0, 2), MOD("大", 0, 1.5f),
    MOD("平稳", 0, 0), MOD("平滑", 0, 0), MOD("流畅", 0, 0), MOD("稳定", 0, 0), MOD("匀速", 0, 0), MOD("丝滑", 0, 0), MOD("顺滑", 0, 0),
    MOD("稳步", 0, 0), MOD("平缓", 0.5f, 0), MOD("连续", 0, 0), MOD("持续", 0, 0), MOD("明显", 0, 1.5f), MOD("不断", 0, 0), MOD("稳", 0, 0),
    IS("非常", VERY), IS("极其", VERY), IS("十分", VERY), IS("极", VERY), IS("超", VERY), IS("特别", VERY), IS("很", VERY), IS("极为", VERY),

    /* what joins */
    IS("然后", THEN), IS("接着", THEN), IS("随后", THEN), IS("之后", THEN), IS("再", THEN), IS("紧接着", THEN), IS("继而", THEN),
    IS("最后", THEN), IS("最终", THEN), IS("后来", THEN), IS("接下来", THEN), IS("而后", THEN), IS("进而", THEN), IS("随即", THEN),
    { "先", ZT_W_THEN, 1, 0, 0 }, { "首先", ZT_W_THEN, 1, 0, 0 }, { "起初", ZT_W_THEN, 1, 0, 0 }, { "开始时", ZT_W_THEN, 1, 0, 0 },
    { "开场", ZT_W_THEN, 1, 0, 0 },
    OTHER("再次"), OTHER("先生"), OTHER("最后一个"), OTHER("最后的"),
    IS("同时", WHILE), IS("一边", WHILE), IS("与此同时", WHILE), IS("边", WHILE), IS("当", WHILE), IS("伴随", WHILE), IS("直到", WHILE),
    IS("并", AND), IS("并且", AND), IS("且", AND), IS("和", AND), IS("与", AND), IS("及", AND), IS("以及", AND), IS("加", AND),
    IS("并同时", WHILE), IS("配合", WHILE), IS("结合", WHILE),
    IS("或", OR), IS("或者", OR), IS("也不", NEG), IS("但", BUT), IS("但是", BUT), IS("而是", BUT), IS("只", BUT), IS("仅", BUT),
    IS("只有", BUT), IS("只是", BUT), IS("不过", BUT), IS("而", AND), IS("改为", BUT), IS("保持", BUT), IS("只要", BUT), IS("仅有", BUT),

    /* negation */
    IS("不要", NEG), IS("不", NEG), IS("没有", NEG), IS("没", NEG), IS("无", NEG), IS("避免", NEG), IS("别", NEG), IS("禁止", NEG),
    IS("无需", NEG), IS("不需要", NEG), IS("不用", NEG), IS("勿", NEG), IS("切勿", NEG), IS("请勿", NEG), IS("拒绝", NEG), IS("不能", NEG),
    IS("不可", NEG), IS("不得", NEG), IS("不许", NEG), IS("不做", NEG), IS("不作", NEG), IS("不进行", NEG), IS("杜绝", NEG), IS("并非", NEG),
    IS("不会", NEG), IS("不再", NEG), IS("没有任何", NEG), IS("无任何", NEG), IS("不使用", NEG), IS("不出现", NEG), IS("非", NEG), IS("去除", NEG),
    OTHER("不停"), OTHER("不远处"), OTHER("不禁"), OTHER("不知"), OTHER("无声"), OTHER("无限"), OTHER("无比"), OTHER("无边"), OTHER("无尽"),
    OTHER("无缝"), OTHER("分别"), OTHER("别墅"), OTHER("告别"), OTHER("离别"), OTHER("没入"), OTHER("淹没"), OTHER("无数"), OTHER("不同"),
    OTHER("非洲"), OTHER("无人"), OTHER("不仅"), OTHER("不只"), OTHER("不由"), OTHER("别人"), OTHER("无名"), OTHER("沉没"), OTHER("不羁"), OTHER("无垠"),

    /* who acts */
    IS("他", PRONOUN), IS("她", PRONOUN), IS("他们", PRONOUN), IS("她们", PRONOUN), IS("我", PRONOUN), IS("我们", PRONOUN), IS("它", PRONOUN),
    IS("它们", PRONOUN), IS("你", PRONOUN),
    IS("展现", REVEAL), IS("展示", REVEAL), IS("露出", REVEAL), IS("揭示", REVEAL), IS("聚焦", REVEAL), IS("对准", REVEAL), IS("呈现", REVEAL),
    IS("显露", REVEAL), IS("定格在", REVEAL), IS("停在", REVEAL), IS("停留在", REVEAL), IS("开始", REVEAL), IS("逐渐展现", REVEAL), IS("对焦", REVEAL),
    IS("拍", REVEAL), IS("突出", REVEAL), IS("捕捉", REVEAL), IS("揭开", REVEAL), IS("聚焦于", REVEAL), IS("俯瞰", REVEAL), IS("展开", REVEAL),

    /* the small words */
    PLAIN("的"), PLAIN("地"), PLAIN("着"), PLAIN("了"), PLAIN("以"), PLAIN("在"), PLAIN("从"), PLAIN("由"), PLAIN("速度"), PLAIN("进行"),
    PLAIN("做"), PLAIN("使用"), PLAIN("采用"), PLAIN("用"), PLAIN("效果"), PLAIN("方式"), PLAIN("整个"), PLAIN("全程"), PLAIN("始终"), PLAIN("一直"),
    PLAIN("任何"), PLAIN("过程"), PLAIN("中"), PLAIN("内"), PLAIN("请"), PLAIN("感"), PLAIN("整体"), PLAIN("动作"), PLAIN("方向"), PLAIN("起来"),
    PLAIN("来"), PLAIN("去"), PLAIN("此时"), PLAIN("完全"), PLAIN("全部"), PLAIN("幅度"), PLAIN("围"), PLAIN("一镜到底"), PLAIN("带有"), PLAIN("带"),
    PLAIN("处于"), PLAIN("有"), PLAIN("都"), PLAIN("也"), PLAIN("一起"), PLAIN("随"), PLAIN("继续"), PLAIN("突破"), PLAIN("式"), PLAIN("有点"),
    FILL("是", LINK), FILL("为", TO), FILL("到", TO), FILL("至", TO), FILL("成", TO),
    FILL("对着", AT), FILL("看向", AT), FILL("走向", AT), FILL("望向", AT), FILL("望着", AT), FILL("面向", AT), FILL("面对", AT), FILL("朝", AT),
    FILL("朝着", AT), FILL("向", AT), FILL("往", AT), FILL("冲向", AT), FILL("盯着", AT), FILL("直视", AT), FILL("看着", AT), FILL("对", AT), FILL("飞向", AT), FILL("面朝", AT),
    FILL("扑向", AT), FILL("冲着", AT), FILL("朝向", AT), FILL("跑向", AT), FILL("举起", AT), FILL("拿着", AT), FILL("看", AT), FILL("凝视", AT),
    FILL("游向", AT), FILL("驶向", AT), FILL("伸向", AT), FILL("注视", AT), FILL("注视着", AT), FILL("面对着", AT), FILL("背对", AT), FILL("背对着", AT), FILL("转向着", AT),
    FILL("一台", A), FILL("一部", A), FILL("一架", A), FILL("台", A), FILL("架", A),
    FILL("第", MARK), FILL("最初", MARK), FILL("最开始", MARK),

    /* how the picture is framed */
    FRAME("大远景", EXTREME_WIDE), FRAME("超广角", EXTREME_WIDE), FRAME("极远景", EXTREME_WIDE), FRAME("超远景", EXTREME_WIDE), FRAME("大全景", EXTREME_WIDE),
    FRAME("全景俯瞰", EXTREME_WIDE), FRAME("大广角", EXTREME_WIDE), FRAME("鸟瞰", EXTREME_WIDE),
    FRAME("远景", WIDE), FRAME("广角", WIDE), FRAME("远景镜头", WIDE), FRAME("广角镜头", WIDE), FRAME("远镜头", WIDE),
    FRAME("全景", FULL), FRAME("全身", FULL), FRAME("全景镜头", FULL), FRAME("全身镜头", FULL), FRAME("全身照", FULL), FRAME("中全景", FULL),
    FRAME("中景", MEDIUM), FRAME("半身", MEDIUM), FRAME("中景镜头", MEDIUM), FRAME("中镜头", MEDIUM), FRAME("半身像", MEDIUM), FRAME("中远景", FULL),
    FRAME("近景", CLOSE_UP), FRAME("特写", CLOSE_UP), FRAME("近景镜头", CLOSE_UP), FRAME("特写镜头", CLOSE_UP), FRAME("近距离", CLOSE_UP), FRAME("中近景", CLOSE_UP),
    FRAME("面部特写", CLOSE_UP), FRAME("脸部特写", CLOSE_UP), FRAME("近镜头", CLOSE_UP),
    FRAME("大特写", EXTREME_CLOSE_UP), FRAME("微距", EXTREME_CLOSE_UP), FRAME("大特写镜头", EXTREME_CLOSE_UP), FRAME("微距镜头", EXTREME_CLOSE_UP),
    FRAME("极特写", EXTREME_CLOSE_UP), FRAME("极近特写", EXTREME_CLOSE_UP), FRAME("细节特写", EXTREME_CLOSE_UP), FRAME("超近景", EXTREME_CLOSE_UP), FRAME("极致特写", EXTREME_CLOSE_UP),

    /* where the subject is */
    PLACE("画面左侧", -1, 0), PLACE("画面右侧", 1, 0), PLACE("画面左边", -1, 0), PLACE("画面右边", 1, 0), PLACE("画面中央", 0, 0),
    PLACE("画面中间", 0, 0), PLACE("画面中心", 0, 0), PLACE("画面正中", 0, 0), PLACE("居中", 0, 0), PLACE("画面上方", 0, -1), PLACE("画面下方", 0, 1),
    PLACE("画面左上角", -1, -1), PLACE("画面右上角", 1, -1), PLACE("画面左下角", -1, 1), PLACE("画面右下角", 1, 1), PLACE("左上角", -1, -1),
    PLACE("右上角", 1, -1), PLACE("左下角", -1, 1), PLACE("右下角", 1, 1), PLACE("左上方", -1, -1), PLACE("右上方", 1, -1), PLACE("左下方", -1, 1),
    PLACE("右下方", 1, 1), PLACE("位于左侧", -1, 0), PLACE("位于右侧", 1, 0), PLACE("在左侧", -1, 0), PLACE("在右侧", 1, 0), PLACE("在左边", -1, 0),
    PLACE("在右边", 1, 0), PLACE("正中央", 0, 0), PLACE("左三分之一", -1, 0), PLACE("右三分之一", 1, 0), PLACE("画面上部", 0, -1), PLACE("画面下部", 0, 1),
    PLACE("画面左上方", -1, -1), PLACE("画面右上方", 1, -1), PLACE("画面左下方", -1, 1), PLACE("画面右下方", 1, 1), PLACE("画面底部", 0, 1), PLACE("画面顶部", 0, -1),
    PLACE("位于中央", 0, 0), PLACE("画面左方", -1, 0), PLACE("画面右方", 1, 0), PLACE("位于中间", 0, 0), PLACE("画面的左侧", -1, 0), PLACE("画面的右侧", 1, 0),
    PLACE("位于画面左侧", -1, 0), PLACE("位于画面右侧", 1, 0), PLACE("画面的中央", 0, 0), PLACE("画面正中央", 0, 0), PLACE("画面左三分之一", -1, 0), PLACE("画面右三分之一", 1, 0),

    /* what is in the air */
    ATMO("雨", RAIN, 1), ATMO("大雨", RAIN, 2), ATMO("暴雨", RAIN, 2), ATMO("小雨", RAIN, 0.5f), ATMO("细雨", RAIN, 0.5f), ATMO("毛毛雨", RAIN, 0.5f),
    ATMO("雨水", RAIN, 1), ATMO("雨滴", RAIN, 1), ATMO("雨天", RAIN, 1), ATMO("下雨", RAIN, 1), ATMO("暴风雨", RAIN, 2), ATMO("倾盆大雨", RAIN, 2), ATMO("烟雨", RAIN, 0.5f),
    ATMO("雷雨", RAIN, 2), ATMO("雪", SNOW, 1), ATMO("大雪", SNOW, 2), ATMO("小雪", SNOW, 0.5f), ATMO("雪花", SNOW, 1), ATMO("飘雪", SNOW, 1), ATMO("下雪", SNOW, 1),
    ATMO("暴风雪", SNOW, 2), ATMO("暴雪", SNOW, 2), ATMO("细雪", SNOW, 0.5f), ATMO("飞雪", SNOW, 1.5f), ATMO("风雪", SNOW, 1.5f), ATMO("鹅毛大雪", SNOW, 2),
    ATMO("雾", FOG, 1), ATMO("薄雾", FOG, 0.5f), ATMO("浓雾", FOG, 2), ATMO("大雾", FOG, 2), ATMO("雾气", FOG, 1), ATMO("晨雾", FOG, 1), ATMO("烟雾", FOG, 1), ATMO("云雾", FOG, 1),
    ATMO("烟", FOG, 1), ATMO("浓烟", FOG, 2), ATMO("水汽", FOG, 0.5f), ATMO("蒸汽", FOG, 0.5f), ATMO("炊烟", FOG, 0.5f), ATMO("轻雾", FOG, 0.5f), ATMO("热气", FOG, 0.5f), ATMO("水雾", FOG, 0.5f), ATMO("迷雾", FOG, 1.5f),
    ATMO("尘", DUST, 1), ATMO("尘土", DUST, 1), ATMO("灰尘", DUST, 1), ATMO("沙尘", DUST, 1), ATMO("沙尘暴", DUST, 2), ATMO("尘埃", DUST, 0.5f), ATMO("扬尘", DUST, 1), ATMO("黄沙", DUST, 1), ATMO("飞沙", DUST, 1.5f),
    ATMO("火", EMBERS, 1), ATMO("火焰", EMBERS, 1), ATMO("火花", EMBERS, 1), ATMO("火星", EMBERS, 0.5f), ATMO("余烬", EMBERS, 0.5f), ATMO("篝火", EMBERS, 1), ATMO("烈火", EMBERS, 2), ATMO("大火", EMBERS, 2), ATMO("炉火", EMBERS, 1), ATMO("燃烧", EMBERS, 1), ATMO("烈焰", EMBERS, 2), ATMO("火光", EMBERS, 1),
    ATMO("水", WATER, 1), ATMO("海", WATER, 1), ATMO("海浪", WATER, 1), ATMO("浪花", WATER, 1), ATMO("河", WATER, 1), ATMO("湖", WATER, 1), ATMO("瀑布", WATER, 1), ATMO("溪", WATER, 1), ATMO("巨浪", WATER, 2), ATMO("波浪", WATER, 1), ATMO("涟漪", WATER, 0.5f), ATMO("江", WATER, 1), ATMO("水面", WATER, 1), ATMO("海面", WATER, 1), ATMO("湖面", WATER, 1),
    ATMO("风", WIND, 1), ATMO("微风", WIND, 0.5f), ATMO("大风", WIND, 2), ATMO("狂风", WIND, 2), ATMO("强风", WIND, 2), ATMO("轻风", WIND, 0.5f), ATMO("清风", WIND, 0.5f), ATMO("寒风", WIND, 1), ATMO("海风", WIND, 1), ATMO("晚风", WIND, 0.5f), ATMO("和风", WIND, 0.5f),
    ATMO("云", CLOUDS, 1), ATMO("云层", CLOUDS, 1), ATMO("云海", CLOUDS, 2), ATMO("乌云", CLOUDS, 2), ATMO("白云", CLOUDS, 1), ATMO("云朵", CLOUDS, 1), ATMO("阴天", CLOUDS, 1), ATMO("多云", CLOUDS, 1),
    ATMO("闪烁", FLICKER, 1), ATMO("烛光", FLICKER, 1), ATMO("蜡烛", FLICKER, 1), ATMO("霓虹", FLICKER, 1), ATMO("霓虹灯", FLICKER, 1), ATMO("灯笼", FLICKER, 1), ATMO("忽明忽暗", FLICKER, 1), ATMO("烛火", FLICKER, 1),
    ATMO("光束", SUN_RAYS, 1), ATMO("丁达尔", SUN_RAYS, 1), ATMO("丁达尔效应", SUN_RAYS, 1), ATMO("体积光", SUN_RAYS, 1), ATMO("光柱", SUN_RAYS, 1), ATMO("光线穿过", SUN_RAYS, 1), ATMO("阳光穿过", SUN_RAYS, 1), ATMO("阳光透过", SUN_RAYS, 1), ATMO("阳光洒", SUN_RAYS, 1),
    ATMO("夜", NIGHT, 1), ATMO("夜晚", NIGHT, 1), ATMO("夜色", NIGHT, 1), ATMO("深夜", NIGHT, 1), ATMO("夜景", NIGHT, 1), ATMO("月光", NIGHT, 1), ATMO("星空", NIGHT, 1), ATMO("夜幕", NIGHT, 1), ATMO("午夜", NIGHT, 1), ATMO("夜空", NIGHT, 1), ATMO("雨夜", NIGHT, 1), ATMO("月夜", NIGHT, 1), ATMO("雪夜", NIGHT, 1), ATMO("夜里", NIGHT, 1),
    ATMO("花瓣", PETALS, 1), ATMO("落叶", PETALS, 1), ATMO("樱花", PETALS, 1), ATMO("落花", PETALS, 1), ATMO("树叶飘落", PETALS, 1), ATMO("枫叶", PETALS, 1), ATMO("樱花雨", PETALS, 2), ATMO("花瓣雨", PETALS, 2), ATMO("落英", PETALS, 1),
    OTHER("风格"), OTHER("风景"), OTHER("风衣"), OTHER("风筝"), OTHER("风车"), OTHER("风铃"), OTHER("屏风"), OTHER("风光"), OTHER("国风"), OTHER("古风"), OTHER("风情"), OTHER("威风"), OTHER("风扇"), OTHER("中国风"), OTHER("风味"),
    OTHER("水果"), OTHER("水杯"), OTHER("香水"), OTHER("墨水"), OTHER("水晶"), OTHER("泪水"), OTHER("汗水"), OTHER("水墨"), OTHER("水彩"), OTHER("水墨画"), OTHER("水滴"), OTHER("薪水"), OTHER("水平线"), OTHER("水手"), OTHER("水循环"), OTHER("水珠"), OTHER("口水"), OTHER("热水"),
    OTHER("火车"), OTHER("火锅"), OTHER("火箭"), OTHER("火柴"), OTHER("雪山"), OTHER("雪人"), OTHER("雪白"), OTHER("雪糕"), OTHER("雨伞"), OTHER("雨衣"), OTHER("雪豹"), OTHER("雪地"), OTHER("雪橇"), OTHER("滑雪"), OTHER("雪原"),
    OTHER("海报"), OTHER("上海"), OTHER("大海报"), OTHER("海鸥"), OTHER("海豚"), OTHER("海滩"), OTHER("脑海"), OTHER("香烟"), OTHER("烟花"), OTHER("云南"), OTHER("江南"), OTHER("江湖"), OTHER("河马"), OTHER("烟火"), OTHER("海鲜"), OTHER("人海"), OTHER("花海"), OTHER("林海"), OTHER("火红"), OTHER("湖蓝"), OTHER("烟囱"), OTHER("海盗"), OTHER("消防"), OTHER("火龙"),
    OTHER("夜市"), OTHER("夜莺"), OTHER("雨靴"), OTHER("火鸡"), OTHER("火山"),

    /* characters of the film terms inside other words */
    OTHER("推车"), OTHER("推开"), OTHER("推门"), OTHER("推着"), OTHER("推倒"), OTHER("推荐"), OTHER("拉着"), OTHER("拉面"), OTHER("拉手"), OTHER("拉琴"), OTHER("拉小提琴"), OTHER("拉丁"), OTHER("拉链"), OTHER("马拉松"), OTHER("拉起"), OTHER("拉弓"), OTHER("拉动"), OTHER("手拉手"), OTHER("拉开窗帘"), OTHER("拉开门"), OTHER("推动"),
    OTHER("摇头"), OTHER("摇摆"), OTHER("摇曳"), OTHER("摇滚"), OTHER("摇篮"), OTHER("摇椅"), OTHER("动摇"), OTHER("飘摇"), OTHER("招摇"), OTHER("摇尾巴"), OTHER("摇着"), OTHER("摇铃"),
    OTHER("转身"), OTHER("转头"), OTHER("转圈"), OTHER("转动手"), OTHER("转眼"), OTHER("转过"), OTHER("转过身"), OTHER("转过头"), OTHER("旋转木马"), OTHER("旋转餐厅"), OTHER("流转"), OTHER("转弯"), OTHER("跟前"), OTHER("高跟鞋"), OTHER("脚跟"), OTHER("跟随者"),
    OTHER("太阳升起"), OTHER("升国旗"), OTHER("降落伞"), OTHER("降雨"), OTHER("飞机"), OTHER("飞鸟"), OTHER("飞船"), OTHER("飞舞"), OTHER("飞翔"), OTHER("飞溅"), OTHER("飞扬"), OTHER("飞速"), OTHER("飞驰"), OTHER("飞奔"), OTHER("固定资产"), OTHER("环绕立体声"), OTHER("手持相机的"), OTHER("移民"),
    OTHER("上班"), OTHER("上面"), OTHER("下面"), OTHER("上学"), OTHER("下午"), OTHER("上午"), OTHER("晚上"), OTHER("早上"), OTHER("地上"), OTHER("路上"), OTHER("桌上"), OTHER("脸上"), OTHER("身上"), OTHER("树下"), OTHER("之下"), OTHER("之上"), OTHER("前面"), OTHER("后面"), OTHER("身后"), OTHER("以后"), OTHER("背后"), OTHER("面前"), OTHER("眼前"), OTHER("坐下"), OTHER("落下"), OTHER("天上"), OTHER("远处"), OTHER("远方"), OTHER("附近"), OTHER("近处"), OTHER("小路上"), OTHER("海上"), OTHER("左手"), OTHER("右手"), OTHER("手上"), OTHER("床上"), OTHER("头上"), OTHER("街上"), OTHER("窗前"), OTHER("门前"), OTHER("楼上"), OTHER("楼下"), OTHER("马上"), OTHER("永远"), OTHER("加速"), OTHER("增加"), OTHER("旁边"), OTHER("海边"), OTHER("路边"), OTHER("河边"), OTHER("窗边"), OTHER("身边"), OTHER("湖边"), OTHER("江边"), OTHER("一边是"), OTHER("参与"), OTHER("和平"), OTHER("快乐"), OTHER("急忙"), OTHER("大家"), OTHER("大楼"), OTHER("大地"), OTHER("大街"), OTHER("大厦"), OTHER("大桥"), OTHER("大树"), OTHER("大衣"), OTHER("大海"), OTHER("加州"), OTHER("年轻"), OTHER("轻盈"), OTHER("微笑"), OTHER("微光"), OTHER("轻舟"), OTHER("轻纱"), OTHER("快艇"), OTHER("快餐"), OTHER("土地"), OTHER("草地"), OTHER("超人"), OTHER("超市"), OTHER("极光"), OTHER("极地"), OTHER("北极"), OTHER("南极"), OTHER("当地"), OTHER("当代"), OTHER("来到"), OTHER("看到"), OTHER("得到"), OTHER("方向盘"), OTHER("温度"), OTHER("角度"), OTHER("高度"), OTHER("深度"), OTHER("亮度"), OTHER("印度"), OTHER("从而"), OTHER("前行"), OTHER("前往"), OTHER("后院"), OTHER("午后"), OTHER("皇后"), OTHER("雨后"), OTHER("右脚"), OTHER("左脚"), OTHER("大象"), OTHER("大雁"),

    /* marks of shots */
    CUT("切镜", CUT), CUT("切镜头", CUT), CUT("镜头切换", CUT), CUT("切换镜头", CUT), CUT("切换到", CUT), CUT("切换至", CUT), CUT("切到", CUT), CUT("切至", CUT),
    CUT("镜头切换到", CUT), CUT("镜头切换至", CUT), CUT("镜头切至", CUT), CUT("镜头切到", CUT), CUT("画面切换", CUT), CUT("画面切换到", CUT), CUT("画面切至", CUT), CUT("画面切到", CUT),
    CUT("场景切换", CUT), CUT("场景切换到", CUT), CUT("转场", CUT), CUT("转场到", CUT), CUT("转场至", CUT), CUT("切换", CUT), CUT("镜头一转", CUT), CUT("画面一转", CUT), CUT("画面转到", CUT), CUT("画面转至", CUT),
    CUT("下一个镜头", CUT), CUT("下一镜头", CUT), CUT("下一幕", CUT), CUT("硬切", CUT), CUT("跳切", CUT), CUT("硬切到", CUT), CUT("跳切到", CUT), CUT("切入", CUT), CUT("快切", CUT), CUT("剪辑到", CUT), CUT("切换为", CUT), CUT("镜头切换为", CUT), CUT("切", CUT), CUT("画面切换至", CUT), CUT("场景转换", CUT), CUT("镜头转换", CUT), CUT("镜头跳转", CUT), CUT("镜头再切", CUT), CUT("快速切换到", CUT), CUT("快速切换", CUT),
    CUT("溶解", DISSOLVE), CUT("叠化", DISSOLVE), CUT("叠化到", DISSOLVE), CUT("叠化转场", DISSOLVE), CUT("溶解到", DISSOLVE), CUT("溶解转场", DISSOLVE), CUT("叠化至", DISSOLVE), CUT("交叉溶解", DISSOLVE), CUT("画面叠化", DISSOLVE), CUT("画面溶解", DISSOLVE),
    CUT("淡入淡出", FADE), CUT("淡出", FADE), CUT("黑场", FADE), CUT("黑场过渡", FADE), CUT("淡入", FADE), CUT("画面淡出", FADE), CUT("淡出至黑", FADE), CUT("黑屏", FADE), CUT("淡入淡出转场", FADE), CUT("画面渐黑", FADE), CUT("渐黑", FADE),
    CUT("甩镜", WHIP_PAN), CUT("甩镜头", WHIP_PAN), CUT("甩镜转场", WHIP_PAN), CUT("甩镜头转场", WHIP_PAN), CUT("匹配剪辑", MATCH_CUT), CUT("匹配剪辑到", MATCH_CUT), CUT("匹配转场", MATCH_CUT), CUT("甩镜到", WHIP_PAN), CUT("甩镜至", WHIP_PAN),
    OTHER("切菜"), OTHER("切开"), OTHER("切割"), OTHER("切片"), OTHER("一切"), OTHER("亲切"), OTHER("密切"), OTHER("切蛋糕"), OTHER("急切"), OTHER("切水果"), OTHER("关切"),
    IS("分镜", PART), IS("场景", PART), IS("片段", PART), IS("第一个镜头", PART), IS("分镜头", PART), IS("镜号", PART), IS("画面一", PART),
    IS("视频", FILM), IS("短片", FILM), IS("影片", FILM), IS("动画", FILM), IS("时长", FILM), IS("总时长", FILM), IS("广告", FILM),
    IS("无缝循环", LOOP), IS("循环", LOOP), IS("循环播放", LOOP), IS("首尾相接", LOOP), IS("首尾衔接", LOOP), IS("无限循环", LOOP), IS("循环动画", LOOP), IS("循环视频", LOOP),
    IS("秒", SECONDS), IS("秒钟", SECONDS), OTHER("秒后"), OTHER("秒针"), OTHER("秒杀"),
    NUM("一", 1), NUM("二", 2), NUM("两", 2), NUM("三", 3), NUM("四", 4), NUM("五", 5), NUM("六", 6), NUM("七", 7), NUM("八", 8), NUM("九", 9), NUM("十", 10),
};

/* Traditional, then simplified: the characters that the rows above use. */
static const uint32_t simplified[][2] = {
    { 0x93E1, 0x955C }, { 0x982D, 0x5934 }, { 0x6A5F, 0x673A }, { 0x651D, 0x6444 }, { 0x756B, 0x753B },
    { 0x9032, 0x8FDB }, { 0x9060, 0x8FDC }, { 0x79FB, 0x79FB }, { 0x64FA, 0x6446 }, { 0x7DE9, 0x7F13 },
    { 0x7E5E, 0x7ED5 }, { 0x74B0, 0x73AF }, { 0x8F49, 0x8F6C }, { 0x8B8A, 0x53D8 }, { 0x52D5, 0x52A8 },
    { 0x96A8, 0x968F }, { 0x8E64, 0x8E2A }, { 0x6416, 0x6447 }, { 0x5F8C, 0x540E }, { 0x9593, 0x95F4 },
    { 0x6642, 0x65F6 }, { 0x7121, 0x65E0 }, { 0x6C92, 0x6CA1 }, { 0x5225, 0x522B }, { 0x5834, 0x573A },
    { 0x63DB, 0x6362 }, { 0x5EE3, 0x5E7F }, { 0x9060, 0x8FDC }, { 0x5BEB, 0x5199 }, { 0x7279, 0x7279 },
    { 0x8996, 0x89C6 }, { 0x983B, 0x9891 }, { 0x9418, 0x949F }, { 0x9EBC, 0x4E48 }, { 0x61C9, 0x5E94 },
    { 0x8207, 0x4E0E }, { 0x9019, 0x8FD9 }, { 0x5019, 0x5019 }, { 0x9673, 0x9648 }, { 0x8352, 0x8352 },
    { 0x9727, 0x96FE }, { 0x5875, 0x5C18 }, { 0x98A8, 0x98CE }, { 0x96F2, 0x4E91 }, { 0x71C8, 0x706F },
    { 0x5149, 0x5149 }, { 0x8449, 0x53F6 }, { 0x98C4, 0x98D8 }, { 0x64DA, 0x636E }, { 0x885D, 0x51B2 },
    { 0x8DDF, 0x8DDF }, { 0x8FFD, 0x8FFD }, { 0x958B, 0x5F00 }, { 0x9AD4, 0x4F53 }, { 0x8457, 0x7740 },
    { 0x5F9E, 0x4ECE }, { 0x5C0D, 0x5BF9 }, { 0x7576, 0x5F53 }, { 0x9435, 0x94C1 }, { 0x9396, 0x9501 },
    { 0x975C, 0x9759 }, { 0x614B, 0x6001 }, { 0x7A69, 0x7A33 }, { 0x9806, 0x987A }, { 0x91DD, 0x9488 },
    { 0x5716, 0x56FE }, { 0x756B, 0x753B }, { 0x5074, 0x4FA7 }, { 0x908A, 0x8FB9 }, { 0x8207, 0x4E0E },
    { 0x9023, 0x8FDE }, { 0x7E8C, 0x7EED }, { 0x7E2E, 0x7F29 }, { 0x5FAA, 0x5FAA }, { 0x5E40, 0x5E45 },
    { 0x6F38, 0x6E10 }, { 0x524D, 0x524D }, { 0x8F15, 0x8F7B }, { 0x5287, 0x5267 }, { 0x9AD8, 0x9AD8 },
    { 0x904B, 0x8FD0 }, { 0x55AE, 0x5355 }, { 0x98DB, 0x98DE }, { 0x7FFB, 0x7FFB }, { 0x7A97, 0x7A97 },
};
/* clang-format on */

const int zt_words_zh_count = (int)ZT_COUNT(zt_words_zh);

uint32_t zt_simplified(uint32_t c)
{
    for (size_t i = 0; i < ZT_COUNT(simplified); i++) {
        if (simplified[i][0] == c)
            return simplified[i][1];
    }
    return c;
}
