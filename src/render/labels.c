#include "config.h"

#include "render/labels.h"

#include "render/text.h"

enum { ENGLISH, FRENCH, GERMAN, SPANISH, LANGUAGE_COUNT };

static const struct {
    const char *code;
    int column;
} languages[] = {{"en", ENGLISH}, {"fr", FRENCH}, {"de", GERMAN}, {"es", SPANISH}};

/* clang-format off */
static const char *const words[CS_LABEL_COUNT][LANGUAGE_COUNT] = {
    [CS_LABEL_STRATEGY] = {"Strategy", "Stratégie", "Strategie", "Estrategia"},
    [CS_LABEL_PERSONAS] = {"Audience", "Publics", "Zielgruppen", "Público"},
    [CS_LABEL_CONCEPTS] = {"Creative concepts", "Concepts créatifs", "Kreativkonzepte", "Conceptos creativos"},
    [CS_LABEL_COPY] = {"Copy", "Textes", "Texte", "Textos"},
    [CS_LABEL_CTA] = {"Calls to action", "Appels à l’action", "Handlungsaufrufe", "Llamadas a la acción"},
    [CS_LABEL_VISUAL] = {"Key visual", "Visuel clé", "Leitbild", "Imagen principal"},
    [CS_LABEL_DESIGN] = {"Design", "Design", "Gestaltung", "Diseño"},
    [CS_LABEL_SOCIAL] = {"Social media", "Médias sociaux", "Soziale Medien", "Redes sociales"},
    [CS_LABEL_EMOTION] = {"Emotion and personalisation", "Émotions et personnalisation", "Emotion und Personalisierung", "Emoción y personalización"},
    [CS_LABEL_MEDIA] = {"Media plan", "Plan média", "Mediaplan", "Plan de medios"},
    [CS_LABEL_REVIEW] = {"Review", "Révision", "Prüfung", "Revisión"},
    [CS_LABEL_SUMMARY] = {"Summary", "En bref", "Zusammenfassung", "Resumen"},
    [CS_LABEL_CLIENT_SUMMARY] = {"Letter to the client", "Lettre au client", "Brief an den Kunden", "Carta al cliente"},
    [CS_LABEL_WEBSITE] = {"Website of the generator", "Site du générateur", "Website des Generators", "Sitio del generador"},
    [CS_LABEL_VALIDATION] = {"Validation of the page", "Validation de la page", "Prüfung der Seite", "Validación de la página"},
    [CS_LABEL_BRIEF] = {"Brief", "Brief", "Briefing", "Briefing"},
    [CS_LABEL_FEEDBACK] = {"Feedback", "Commentaires", "Rückmeldungen", "Comentarios"},
    [CS_LABEL_CONVERSATION] = {"Conversation", "Conversation", "Verlauf", "Conversación"},
    [CS_LABEL_PREVIOUS] = {"Earlier versions", "Versions précédentes", "Frühere Fassungen", "Versiones anteriores"},
    [CS_LABEL_STATE] = {"Further data", "Autres données", "Weitere Daten", "Otros datos"},
    [CS_LABEL_PROGRESS] = {"Progress", "Avancement", "Fortschritt", "Progreso"},
    [CS_LABEL_TIMELINE] = {"How it was made", "Les étapes", "Entstehung", "Cómo se hizo"},
    [CS_LABEL_CONTENTS] = {"Contents", "Sommaire", "Inhalt", "Contenido"},
    [CS_LABEL_CLIENT] = {"Client", "Client", "Kunde", "Cliente"},
    [CS_LABEL_PRODUCT] = {"Product", "Produit", "Produkt", "Producto"},
    [CS_LABEL_BUDGET] = {"Budget", "Budget", "Budget", "Presupuesto"},
    [CS_LABEL_DURATION] = {"Timeline", "Durée", "Zeitraum", "Duración"},
    [CS_LABEL_STATUS] = {"Status", "État", "Status", "Estado"},
    [CS_LABEL_CREATED] = {"Created", "Création", "Erstellt", "Creado"},
    [CS_LABEL_COMPLETED] = {"Completed", "Achèvement", "Abgeschlossen", "Terminado"},
    [CS_LABEL_PALETTE] = {"Colours", "Couleurs", "Farben", "Colores"},
    [CS_LABEL_AUDIENCE] = {"Target audience", "Public cible", "Zielgruppe", "Público objetivo"},
    [CS_LABEL_GOALS] = {"Goals", "Objectifs", "Ziele", "Objetivos"},
    [CS_LABEL_FEATURES] = {"Key features", "Points forts", "Merkmale", "Características"},
    [CS_LABEL_REQUIREMENTS] = {"Additional requirements", "Exigences", "Weitere Anforderungen", "Otros requisitos"},
    [CS_LABEL_COLOURS] = {"Colour scheme", "Palette de couleurs", "Farbschema", "Colores"},
    [CS_LABEL_CAMPAIGN_NAME] = {"Campaign name", "Nom de la campagne", "Name der Kampagne", "Nombre de la campaña"},
    [CS_LABEL_CLIENT_WEBSITE] = {"Client website", "Site du client", "Website des Kunden", "Sitio del cliente"},
    [CS_LABEL_CLIENT_LOGO] = {"Client logo", "Logo du client", "Logo des Kunden", "Logotipo del cliente"},
    [CS_LABEL_BUDGET_SHARES] = {"Where the budget goes", "Répartition du budget", "Verteilung des Budgets", "Reparto del presupuesto"},
    [CS_LABEL_KPIS] = {"Targets in figures", "Objectifs chiffrés", "Ziele in Zahlen", "Objetivos en cifras"},
    [CS_LABEL_SCHEDULE] = {"Schedule", "Calendrier", "Zeitplan", "Calendario"},
    [CS_LABEL_STEP_DURATIONS] = {"Duration of each step", "Durée des étapes", "Dauer der Schritte", "Duración de los pasos"},
    [CS_LABEL_CHANNEL] = {"Channel", "Canal", "Kanal", "Canal"},
    [CS_LABEL_SHARE] = {"Share", "Part", "Anteil", "Parte"},
    [CS_LABEL_START] = {"Start", "Début", "Beginn", "Inicio"},
    [CS_LABEL_END] = {"End", "Fin", "Ende", "Fin"},
    [CS_LABEL_AGENT] = {"Agent", "Agent", "Agent", "Agente"},
    [CS_LABEL_ACTION] = {"Action", "Action", "Aktion", "Acción"},
    [CS_LABEL_MESSAGE] = {"Message", "Message", "Nachricht", "Mensaje"},
    [CS_LABEL_TIME] = {"Time", "Heure", "Zeit", "Hora"},
    [CS_LABEL_SECONDS] = {"s", "s", "s", "s"},
    [CS_LABEL_DETAILS] = {"Details", "Détails", "Einzelheiten", "Detalles"},
    [CS_LABEL_SKIP] = {"Skip to content", "Aller au contenu", "Zum Inhalt", "Ir al contenido"},
    [CS_LABEL_IMAGE] = {"Image", "Image", "Bild", "Imagen"},
    [CS_LABEL_YES] = {"yes", "oui", "ja", "sí"},
    [CS_LABEL_NO] = {"no", "non", "nein", "no"},
    [CS_LABEL_NONE] = {"none", "aucun", "keine", "ninguno"},
    [CS_LABEL_EMPTY] = {"—", "—", "—", "—"},
    [CS_LABEL_REPORT] = {"Campaign report", "Rapport de campagne", "Kampagnenbericht", "Informe de campaña"},
    [CS_LABEL_PAGE_N_OF_M] = {"Page {n} of {m}", "Page {n} sur {m}", "Seite {n} von {m}", "Página {n} de {m}"},
    [CS_LABEL_CAMPAIGN] = {"Campaign", "Campagne", "Kampagne", "Campaña"},
    [CS_LABEL_QUALITY] = {"Quality score", "Note de qualité", "Qualitätsnote", "Nota de calidad"},
    [CS_LABEL_EXECUTION_TIME] = {"Execution time", "Temps d’exécution", "Laufzeit", "Tiempo de ejecución"},
    [CS_LABEL_NUMBER] = {"No.", "Nº", "Nr.", "N.º"},
    [CS_LABEL_VALUE] = {"Value", "Valeur", "Wert", "Valor"},
    [CS_LABEL_TO_TOP] = {"Back to top", "Haut de page", "Nach oben", "Volver arriba"},
    [CS_LABEL_CAMPAIGN_ID] = {"Campaign id", "Numéro de campagne", "Kampagnennummer", "Número de campaña"},
};
/* clang-format on */

const char *cs_label(const char *language, enum cs_label label)
{
    int column = ENGLISH;

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
