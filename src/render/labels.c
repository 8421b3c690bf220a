#include "config.h"

#include "render/labels.h"

#include "render/labels_more.h"
#include "render/text.h"

enum { ENGLISH, FRENCH, GERMAN, SPANISH, ARABIC, HEBREW, LANGUAGE_COUNT };

static const struct {
    const char *code;
    int column;
} languages[] = {{"en", ENGLISH}, {"fr", FRENCH}, {"de", GERMAN},
                 {"es", SPANISH}, {"ar", ARABIC}, {"he", HEBREW}};

/* clang-format off */
static const char *const words[CS_LABEL_COUNT][LANGUAGE_COUNT] = {
    [CS_LABEL_STRATEGY] = {"Strategy", "Stratégie", "Strategie", "Estrategia", "الاستراتيجية", "אסטרטגיה"},
    [CS_LABEL_PERSONAS] = {"Audience", "Publics", "Zielgruppen", "Público", "الجمهور", "קהל היעד"},
    [CS_LABEL_CONCEPTS] = {"Creative concepts", "Concepts créatifs", "Kreativkonzepte", "Conceptos creativos", "الأفكار الإبداعية", "רעיונות קריאייטיב"},
    [CS_LABEL_COPY] = {"Copy", "Textes", "Texte", "Textos", "النصوص", "טקסטים"},
    [CS_LABEL_CTA] = {"Calls to action", "Appels à l’action", "Handlungsaufrufe", "Llamadas a la acción", "دعوات إلى الفعل", "קריאות לפעולה"},
    [CS_LABEL_VISUAL] = {"Key visual", "Visuel clé", "Leitbild", "Imagen principal", "الصورة الرئيسية", "תמונה מרכזית"},
    [CS_LABEL_DESIGN] = {"Design", "Design", "Gestaltung", "Diseño", "التصميم", "עיצוב"},
    [CS_LABEL_SOCIAL] = {"Social media", "Médias sociaux", "Soziale Medien", "Redes sociales", "وسائل التواصل الاجتماعي", "רשתות חברתיות"},
    [CS_LABEL_EMOTION] = {"Emotion and personalisation", "Émotions et personnalisation", "Emotion und Personalisierung", "Emoción y personalización", "العاطفة والتخصيص", "רגש והתאמה אישית"},
    [CS_LABEL_MEDIA] = {"Media plan", "Plan média", "Mediaplan", "Plan de medios", "الخطة الإعلامية", "תוכנית מדיה"},
    [CS_LABEL_REVIEW] = {"Review", "Révision", "Prüfung", "Revisión", "المراجعة", "סקירה"},
    [CS_LABEL_SUMMARY] = {"Summary", "En bref", "Zusammenfassung", "Resumen", "الملخص", "תקציר"},
    [CS_LABEL_CLIENT_SUMMARY] = {"Letter to the client", "Lettre au client", "Brief an den Kunden", "Carta al cliente", "رسالة إلى العميل", "מכתב ללקוח"},
    [CS_LABEL_WEBSITE] = {"Website of the generator", "Site du générateur", "Website des Generators", "Sitio del generador", "موقع المولّد", "האתר של המחולל"},
    [CS_LABEL_VALIDATION] = {"Validation of the page", "Validation de la page", "Prüfung der Seite", "Validación de la página", "فحص الصفحة", "בדיקת העמוד"},
    [CS_LABEL_BRIEF] = {"Brief", "Brief", "Briefing", "Briefing", "الموجز", "בריף"},
    [CS_LABEL_FEEDBACK] = {"Feedback", "Commentaires", "Rückmeldungen", "Comentarios", "الملاحظات", "משוב"},
    [CS_LABEL_CONVERSATION] = {"Conversation", "Conversation", "Verlauf", "Conversación", "المحادثة", "שיחה"},
    [CS_LABEL_PREVIOUS] = {"Earlier versions", "Versions précédentes", "Frühere Fassungen", "Versiones anteriores", "إصدارات سابقة", "גרסאות קודמות"},
    [CS_LABEL_STATE] = {"Further data", "Autres données", "Weitere Daten", "Otros datos", "بيانات أخرى", "נתונים נוספים"},
    [CS_LABEL_PROGRESS] = {"Progress", "Avancement", "Fortschritt", "Progreso", "التقدم", "התקדמות"},
    [CS_LABEL_TIMELINE] = {"How it was made", "Les étapes", "Entstehung", "Cómo se hizo", "كيف أُنجزت", "איך זה נעשה"},
    [CS_LABEL_CONTENTS] = {"Contents", "Sommaire", "Inhalt", "Contenido", "المحتويات", "תוכן העניינים"},
    [CS_LABEL_CLIENT] = {"Client", "Client", "Kunde", "Cliente", "العميل", "לקוח"},
    [CS_LABEL_PRODUCT] = {"Product", "Produit", "Produkt", "Producto", "المنتج", "מוצר"},
    [CS_LABEL_BUDGET] = {"Budget", "Budget", "Budget", "Presupuesto", "الميزانية", "תקציב"},
    [CS_LABEL_DURATION] = {"Timeline", "Durée", "Zeitraum", "Duración", "المدة", "משך"},
    [CS_LABEL_STATUS] = {"Status", "État", "Status", "Estado", "الحالة", "מצב"},
    [CS_LABEL_CREATED] = {"Created", "Création", "Erstellt", "Creado", "أُنشئت", "נוצר"},
    [CS_LABEL_COMPLETED] = {"Completed", "Achèvement", "Abgeschlossen", "Terminado", "اكتملت", "הושלם"},
    [CS_LABEL_PALETTE] = {"Colours", "Couleurs", "Farben", "Colores", "الألوان", "צבעים"},
    [CS_LABEL_AUDIENCE] = {"Target audience", "Public cible", "Zielgruppe", "Público objetivo", "الجمهور المستهدف", "קהל היעד"},
    [CS_LABEL_GOALS] = {"Goals", "Objectifs", "Ziele", "Objetivos", "الأهداف", "מטרות"},
    [CS_LABEL_FEATURES] = {"Key features", "Points forts", "Merkmale", "Características", "الميزات الرئيسية", "תכונות עיקריות"},
    [CS_LABEL_REQUIREMENTS] = {"Additional requirements", "Exigences", "Weitere Anforderungen", "Otros requisitos", "متطلبات إضافية", "דרישות נוספות"},
    [CS_LABEL_COLOURS] = {"Colour scheme", "Palette de couleurs", "Farbschema", "Colores", "نظام الألوان", "ערכת צבעים"},
    [CS_LABEL_CAMPAIGN_NAME] = {"Campaign name", "Nom de la campagne", "Name der Kampagne", "Nombre de la campaña", "اسم الحملة", "שם הקמפיין"},
    [CS_LABEL_CLIENT_WEBSITE] = {"Client website", "Site du client", "Website des Kunden", "Sitio del cliente", "موقع العميل", "אתר הלקוח"},
    [CS_LABEL_CLIENT_LOGO] = {"Client logo", "Logo du client", "Logo des Kunden", "Logotipo del cliente", "شعار العميل", "לוגו הלקוח"},
    [CS_LABEL_BUDGET_SHARES] = {"Where the budget goes", "Répartition du budget", "Verteilung des Budgets", "Reparto del presupuesto", "توزيع الميزانية", "חלוקת התקציב"},
    [CS_LABEL_KPIS] = {"Targets in figures", "Objectifs chiffrés", "Ziele in Zahlen", "Objetivos en cifras", "الأهداف بالأرقام", "יעדים במספרים"},
    [CS_LABEL_SCHEDULE] = {"Schedule", "Calendrier", "Zeitplan", "Calendario", "الجدول الزمني", "לוח זמנים"},
    [CS_LABEL_STEP_DURATIONS] = {"Duration of each step", "Durée des étapes", "Dauer der Schritte", "Duración de los pasos", "مدة كل خطوة", "משך כל שלב"},
    [CS_LABEL_CHANNEL] = {"Channel", "Canal", "Kanal", "Canal", "القناة", "ערוץ"},
    [CS_LABEL_SHARE] = {"Share", "Part", "Anteil", "Parte", "الحصة", "חלק"},
    [CS_LABEL_START] = {"Start", "Début", "Beginn", "Inicio", "البداية", "התחלה"},
    [CS_LABEL_END] = {"End", "Fin", "Ende", "Fin", "النهاية", "סיום"},
    [CS_LABEL_AGENT] = {"Agent", "Agent", "Agent", "Agente", "الوكيل", "סוכן"},
    [CS_LABEL_ACTION] = {"Action", "Action", "Aktion", "Acción", "الإجراء", "פעולה"},
    [CS_LABEL_MESSAGE] = {"Message", "Message", "Nachricht", "Mensaje", "الرسالة", "הודעה"},
    [CS_LABEL_TIME] = {"Time", "Heure", "Zeit", "Hora", "الوقت", "שעה"},
    [CS_LABEL_SECONDS] = {"s", "s", "s", "s", "ث", "שנ׳"},
    [CS_LABEL_DETAILS] = {"Details", "Détails", "Einzelheiten", "Detalles", "التفاصيل", "פרטים"},
    [CS_LABEL_SKIP] = {"Skip to content", "Aller au contenu", "Zum Inhalt", "Ir al contenido", "انتقل إلى المحتوى", "דילוג לתוכן"},
    [CS_LABEL_IMAGE] = {"Image", "Image", "Bild", "Imagen", "صورة", "תמונה"},
    [CS_LABEL_YES] = {"yes", "oui", "ja", "sí", "نعم", "כן"},
    [CS_LABEL_NO] = {"no", "non", "nein", "no", "لا", "לא"},
    [CS_LABEL_NONE] = {"none", "aucun", "keine", "ninguno", "لا شيء", "אין"},
    [CS_LABEL_EMPTY] = {"—", "—", "—", "—", "—", "—"},
    [CS_LABEL_REPORT] = {"Campaign report", "Rapport de campagne", "Kampagnenbericht", "Informe de campaña", "تقرير الحملة", "דוח קמפיין"},
    [CS_LABEL_PAGE_N_OF_M] = {"Page {n} of {m}", "Page {n} sur {m}", "Seite {n} von {m}", "Página {n} de {m}", "صفحة {n} من {m}", "עמוד {n} מתוך {m}"},
    [CS_LABEL_CAMPAIGN] = {"Campaign", "Campagne", "Kampagne", "Campaña", "الحملة", "קמפיין"},
    [CS_LABEL_QUALITY] = {"Quality score", "Note de qualité", "Qualitätsnote", "Nota de calidad", "درجة الجودة", "ציון איכות"},
    [CS_LABEL_EXECUTION_TIME] = {"Execution time", "Temps d’exécution", "Laufzeit", "Tiempo de ejecución", "مدة التنفيذ", "זמן ביצוע"},
    [CS_LABEL_NUMBER] = {"No.", "Nº", "Nr.", "N.º", "رقم", "מס׳"},
    [CS_LABEL_VALUE] = {"Value", "Valeur", "Wert", "Valor", "القيمة", "ערך"},
    [CS_LABEL_TO_TOP] = {"Back to top", "Haut de page", "Nach oben", "Volver arriba", "إلى الأعلى", "חזרה למעלה"},
    [CS_LABEL_CAMPAIGN_ID] = {"Campaign id", "Numéro de campagne", "Kampagnennummer", "Número de campaña", "معرّف الحملة", "מזהה הקמפיין"},
    [CS_LABEL_IS_COMPLETED] = {"completed", "terminée", "abgeschlossen", "terminada", "مكتملة", "הושלם"},
    [CS_LABEL_MONTHS] = {
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
        "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
        "Jan. Feb. März April Mai Juni Juli Aug. Sept. Okt. Nov. Dez.",
        "ene feb mar abr may jun jul ago sept oct nov dic",
        "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
        "ינו׳ פבר׳ מרץ אפר׳ מאי יוני יולי אוג׳ ספט׳ אוק׳ נוב׳ דצמ׳"},
    [CS_LABEL_CURRENCY] = {"Currency", "Devise", "Währung", "Moneda", "العملة", "מטבע"},
    [CS_LABEL_TOTAL_BUDGET] = {"Total budget", "Budget total", "Gesamtbudget", "Presupuesto total", "إجمالي الميزانية", "תקציב כולל"},
    [CS_LABEL_CHANNELS] = {"Channels", "Canaux", "Kanäle", "Canales", "القنوات", "ערוצים"},
    [CS_LABEL_NOTES] = {"Notes", "Remarques", "Anmerkungen", "Notas", "ملاحظات", "הערות"},
    [CS_LABEL_NAME] = {"Name", "Nom", "Name", "Nombre", "الاسم", "שם"},
    [CS_LABEL_MONTH_AND_YEAR] = {"{m} {y}", "{m} {y}", "{m} {y}", "{m} {y}", "{m} {y}", "{m} {y}"},
};
/* clang-format on */

const char *cs_label(const char *language, enum cs_label label)
{
    const char *const *more =
        cs_labels_more(cs_view_cstr(language != NULL ? language : ""));
    int column = ENGLISH;

    if (more != NULL)
        return more[label];
    for (size_t i = 0; language != NULL && i < CS_COUNT(languages); i++)
        if (strncmp(language, languages[i].code, 2) == 0 &&
            (language[2] == '\0' || language[2] == '-'))
            column = languages[i].column;
    return words[label][column];
}

void cs_label_from_name(struct cs_buf *out, struct cs_view name)
{
    size_t start = out->len;

    cs_text_line(out, name);
    if (out->failed != CS_OK)
        return;
    for (size_t i = start; i < out->len; i++)
        if (out->ptr[i] == '_')
            out->ptr[i] = ' ';
    if (out->len > start && out->ptr[start] >= 'a' && out->ptr[start] <= 'z')
        out->ptr[start] = (char)(out->ptr[start] - 'a' + 'A');
}
